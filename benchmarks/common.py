"""What all topics share: building Quire's side, installing the peers, interleaved rounds, history and table.

A *side* is a process that stays alive and answers requests, one JSON object a line. Sides take turns on every piece of
work, round after round, so that whatever else the machine is doing hits all of them alike. Of each side the median over
rounds is reported, and as ratio the median of the rounds' ratios.
"""

import argparse
import atexit
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESULTS = HERE / "RESULTS.md"


def arguments(description, rounds=5, seconds=0.5):
    """The options that all topics have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help="rounds of all sides (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=seconds, help="time a measurement takes (default %(default)s)")
    parser.add_argument("--dry", action="store_true", help="print the table, leave RESULTS.md and the history alone")
    return parser


def note(text):
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def command(*words, **options):
    """What a command prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True, **options).stdout.strip()


# --- Quire's side -------------------------------------------------------------------------------------------------


def target_folder():
    """Where cargo builds."""
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def build_quire():
    """Builds `worker/` and returns the path of its program."""
    note("building Quire's side (cargo build --release) ...")
    build = ["cargo", "build", "--release", "--locked", "--quiet", "-p", "quire-benchmarks"]
    subprocess.run(build, cwd=ROOT, check=True)
    return target_folder() / "release" / "quire-benchmarks"


# --- the peers' side ----------------------------------------------------------------------------------------------


def environment(topic):
    """The Python of the topic's own virtual environment, made from requirements/<topic>.txt if it does not stand.

    It lies in benchmarks/.venv/<topic>, or under the folder that QUIRE_BENCHMARK_VENVS names.
    """
    requirements = HERE / "requirements" / f"{topic}.txt"
    folder = Path(os.environ.get("QUIRE_BENCHMARK_VENVS", HERE / ".venv")) / topic
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    if not python.exists() or not stamp.exists() or stamp.read_text() != requirements.read_text():
        note(f"installing {requirements.relative_to(ROOT)} into {folder} ...")
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return python


def build_peer(name):
    """Builds the peer that is a Rust program, `peers/<name>/`, and returns the path of its program."""
    note(f"building {name} (cargo build --release) ...")
    folder, target = HERE / "peers" / name, target_folder() / "peers"
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", "--target-dir", target], cwd=folder, check=True)
    return target / "release" / f"{name}-peer"


def locked_version(name):
    """The version of the crate that the peer of its name is built with."""
    return tomllib.loads((HERE / "peers" / name / "Cargo.toml").read_text())["dependencies"][name]["version"].lstrip("=")


def repository(name, commit):
    """The folder of an official repository on GitHub at a commit, cloned if it does not stand.

    It lies in benchmarks/.repositories/, or under the folder that QUIRE_BENCHMARK_REPOSITORIES names.
    """
    folder = Path(os.environ.get("QUIRE_BENCHMARK_REPOSITORIES", HERE / ".repositories")) / name.replace("/", "+")
    if not folder.exists():
        note(f"cloning {name} into {folder} ...")
        subprocess.run(["git", "clone", "--quiet", f"https://github.com/{name}", folder], check=True)
    subprocess.run(["git", "-C", folder, "checkout", "--quiet", commit], check=True)
    return folder


def versions(python, *packages):
    """`package version` of what the sides run on."""
    code = "import sys, importlib.metadata as m; print(*(m.version(p) for p in sys.argv[1:]))"
    found = command(python, "-c", code, *packages).split()
    return {"python": platform.python_version(), **dict(zip(packages, found))}


class Side:
    """A process that answers requests; `cores` pins it to so many.

    It is stopped while it has none: threads of a library that wait for work by spinning would take the others' time.
    """

    def __init__(self, name, words, cores=None):
        self.name = name
        words = [str(word) for word in words]
        if cores is not None:
            words = ["taskset", "-c", f"0-{cores - 1}", *words]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.send_signal(signal.SIGSTOP)
        # However the script ends, a process that goes on sees the end of its input; one that is stopped would stay.
        atexit.register(self.process.send_signal, signal.SIGCONT)

    def ask(self, **request):
        """The reply to a request."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.process.send_signal(signal.SIGSTOP)
        if not line:
            raise SystemExit(f"{self.name} has ended while it worked on {request}")
        reply = json.loads(line)
        if "error" in reply:
            raise SystemExit(f"{self.name}: {reply['error']}")
        return reply

    def close(self):
        """Lets the process end."""
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


def quire():
    """Quire's side."""
    return Side("quire", [build_quire(), "serve"])


def peer(name, python, script, *words, cores=None):
    """A peer's side: `peers/<script>` in its virtual environment."""
    return Side(name, [python, HERE / "peers" / script, *words], cores)


# --- rounds -------------------------------------------------------------------------------------------------------


def interleave(rounds, columns):
    """Runs every column once a round, in turns.

    `columns` maps a column's name to a function of the round's number that returns a reply. Returns the replies,
    `{name: [reply a round]}`. The order turns around every other round.
    """
    replies = {name: [] for name in columns}
    for index in range(rounds):
        names = list(columns) if index % 2 == 0 else list(reversed(columns))
        for name in names:
            replies[name].append(columns[name](index))
    return replies


def seconds(replies):
    """`{column: [seconds a round]}`."""
    return {name: [reply["seconds"] for reply in rounds] for name, rounds in replies.items()}


def processor(replies):
    """`{column: [processor seconds a round]}`, for works of one thread that take long enough to be interrupted."""
    return {name: [reply["processor"] for reply in rounds] for name, rounds in replies.items()}


def best(times, names):
    """Of several columns of one side, for example one a thread count, the fastest by its median."""
    return min(names, key=lambda name: statistics.median(times[name]))


def ratio(times, peer, own):
    """How many times longer the peer takes: the median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(times[peer], times[own]))


# --- results ------------------------------------------------------------------------------------------------------


def machine():
    """This machine in one line."""
    name = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    flags = Path("/proc/cpuinfo").read_text()
    wide = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name} ({wide}), {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def commit():
    """The commit that was measured, with a mark if the working tree differs from it."""
    changed = command("git", "status", "--porcelain", "--", "crates", "benchmarks/worker", "Cargo.toml", "Cargo.lock", cwd=ROOT)
    return command("git", "rev-parse", "--short=12", "HEAD", cwd=ROOT) + ("+changes" if changed else "")


# Noted when a topic starts: a commit made while it runs is not what was measured.
COMMIT = commit()


def load():
    """How many programs wanted to run, over the last minute."""
    return os.getloadavg()[0]


def table(head, rows):
    """A Markdown table; the first column is left-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def time_text(value):
    """A time as a person reads it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value / size < 1000 else f"{value / size:,.0f} {unit}"
    return f"{value / 1e-9:.3g} ns"


def verdict(value, target, at_most=False):
    """`3.2 (target >= 2: met)`: a measured number against its target, and by how much it misses."""
    met = value <= target if at_most else value >= target
    sign = "<=" if at_most else ">="
    return f"{'met' if met else '**missed**'} ({value:.3g} against {sign} {target:g})"


def record(options, topic, title, text, versions, data, started_load):
    """Writes the topic's section of RESULTS.md and appends the run to history/<topic>.json."""
    about = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(),
        "commit": COMMIT,
        "rounds": options.rounds,
        "load": [round(started_load, 2), round(load(), 2)],
        "versions": {**versions, "rustc": command("rustc", "--version").split()[1]},
    }
    names = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    stamp = (
        f"*{about['date']}, commit {about['commit']}, {about['machine']}. {names}. {options.rounds} rounds; "
        f"load average {about['load'][0]} before, {about['load'][1]} after.*"
    )
    section = f"<!-- {topic} -->\n## {title}\n\n{text}\n\n{stamp}\n<!-- /{topic} -->\n"
    print(section)
    if options.dry:
        return
    path = HERE / "history" / f"{topic}.json"
    path.parent.mkdir(exist_ok=True)
    history = json.loads(path.read_text()) if path.exists() else []
    history.append({**about, "results": data})
    path.write_text(json.dumps(history, separators=(",", ":")).replace(',{"date"', ',\n{"date"') + "\n")
    whole = RESULTS.read_text() if RESULTS.exists() else (HERE / "results_head.md").read_text()
    first, last = f"<!-- {topic} -->", f"<!-- /{topic} -->\n"
    if first in whole:
        before, rest = whole.split(first, 1)
        whole = before + section + rest.split(last, 1)[1]
    else:
        whole = whole.rstrip("\n") + "\n\n" + section
    RESULTS.write_text(whole)
    note(f"written: {RESULTS.relative_to(ROOT)}, {path.relative_to(ROOT)}")

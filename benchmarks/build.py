"""How long a cold release build takes, and how large the binary is."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import common


def main():
    options = common.arguments(__doc__, rounds=1).parse_args()
    load, seconds, processor = common.load(), [], []
    for index in range(options.rounds):
        common.note(f"cold build {index + 1}")
        with tempfile.TemporaryDirectory() as folder:
            before, start = os.times(), time.perf_counter()
            subprocess.run(
                ["cargo", "build", "--release", "--locked", "--quiet"], cwd=common.ROOT, check=True,
                env={**os.environ, "CARGO_TARGET_DIR": folder},
            )
            after = os.times()
            seconds.append(time.perf_counter() - start)
            processor.append(sum(after[2:4]) - sum(before[2:4]))
            size = (Path(folder) / "release" / "quire").stat().st_size
    best, work = min(seconds), min(processor)
    text = "\n".join([
        f"A cold `cargo build --release` of the command line took {best:.0f} s and {work:.0f} s of processor time: on two "
        f"cores with nothing beside it, at least {work / 2:.0f} s. The binary has {size / 1e6:.1f} MB.",
        "",
        "Where it goes, by `cargo build --timings`: `mdp` and `solve` take a third of the processor time, the engine (`kernels`, `nn` and "
        "`optim`) a tenth, SQLite, zstd and Parquet an eighth, and some two hundred small dependencies most of the rest. With "
        "link-time optimization across crates it takes an eighth longer, and the counted loops are no faster.",
        "",
        f"- Cold release build < 180 s: {common.verdict(best, 180, at_most=True)} s by the clock.",
        f"- Binary < 30 MB: {common.verdict(size / 1e6, 30, at_most=True)} MB.",
    ])
    data = {"seconds": seconds, "processor": processor, "bytes": size}
    common.record(options, "build", "Build", text, {}, data, load)


if __name__ == "__main__":
    main()

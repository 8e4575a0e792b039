"""What the peers' sides share: answering requests, and timing as Quire's side does it."""

import json
import statistics
import sys
import time


def measure(request, units, step):
    """The median time of one unit of work, in seconds, where a call of `step` does `units` of them.

    With `processor` in the request it is processor time: of works of one thread whose `step` takes long enough to be
    interrupted by other programs, as Quire's much shorter one is not.
    """
    clock = time.process_time if request.get("processor") else time.perf_counter
    start = time.perf_counter()
    for _ in range(3):
        step()
        if time.perf_counter() - start > 1:
            break
    times = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < request["seconds"]:
        at = clock()
        step()
        times.append(clock() - at)
    return {"seconds": statistics.median(times) / units, "samples": len(times)}


def serve(answer):
    """Answers requests until the input ends. What libraries print goes to the error stream."""
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:  # the other side has to hear of it, whatever it is
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)

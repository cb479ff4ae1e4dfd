"""wrk, pinned to the other core: a body over and over, and a look at every answer."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks._serving.bodies import Body

SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
{headers}
bad = 0
local wanted, times = '{wanted}', {times}
function response(status, headers, body)
  local _, found = string.gsub(body, wanted, "")
  if status ~= 200 or found < times then bad = bad + 1 end
end
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("bad") end
  local e = summary.errors
  print(string.format("RESULT %d %d %d %.1f %.1f", summary.requests, summary.duration,
    wrong + e.connect + e.read + e.write + e.timeout,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Result:
    """Rates a second, times in ms."""

    rate: float
    p50: float
    p99: float
    requests: int


def drive(
    url: str, body: Body, wanted: str, times: int, connections: int, seconds: int, core: str = "1"
) -> Result:
    """``wanted``: a Lua pattern that every answer holds so often. Raises ``RuntimeError``."""
    headers = [("Content-Type", body.media_type), *body.headers]
    lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers)
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "body", Path(folder) / "script.lua"
        data.write_bytes(body.data)
        script.write_text(SCRIPT.format(body=data, headers=lines, wanted=wanted, times=times))
        command = [
            "taskset", "-c", core, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
            "--timeout", "30s", "-s", str(script), url,
        ]  # fmt: skip
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) ([\d.]+) ([\d.]+)", told)
    if found is None or int(found[3]) or not int(found[1]):
        raise RuntimeError(f"{url}: {told}")
    requests, microseconds = int(found[1]), int(found[2])
    return Result(
        requests / microseconds * 1e6, float(found[4]) / 1e3, float(found[5]) / 1e3, requests
    )

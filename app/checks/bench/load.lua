-- wrk: post the requests of a file one after the other; say in one line of JSON how it went.
-- The file holds the bodies, each after its length on a line of its own.
local bodies = {}

function init(args)
  wrk.method = os.getenv("BENCH_METHOD")
  local path = os.getenv("BENCH_BODIES")
  if path then
    local file = assert(io.open(path, "rb"))
    for line in file:lines() do
      wrk.body = file:read(tonumber(line))
      wrk.headers["Content-Type"] = "application/json"
      bodies[#bodies + 1] = wrk.format()
      file:read(1)
    end
    file:close()
  else
    bodies[1] = wrk.format()
  end
  -- start where the last round ended, so that no body comes twice before all have come once
  at = tonumber(os.getenv("BENCH_FIRST") or "0")
end

function request()
  at = at + 1
  return bodies[(at - 1) % #bodies + 1]
end

function done(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout))
end

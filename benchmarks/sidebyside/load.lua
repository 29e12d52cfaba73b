-- Sends one prepared request over and over and prints a JSON line of what came of it.
-- Arguments after "--" on wrk's command line: the file that holds the request's bytes as they go on the wire.
-- Where they contain "{n}", it becomes a new number each time, so that no two requests are alike.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local bytes = file:read("*a")
  file:close()
  local from, to = bytes:find("{n}", 1, true)
  if from then
    local before, after, number = bytes:sub(1, from - 1), bytes:sub(to + 1), 0
    request = function()
      number = number + 1
      return before .. number .. after
    end
  else
    -- With no global "request" wrk formats one request at the start and never calls Lua again.
    wrk.format = function() return bytes end
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    '\n{"requests": %d, "microseconds": %d, "bytes": %d, "p50": %d, "p99": %d,'
      .. ' "errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end

-- Posts the lines of a file, one request a line, over and over; ends with one line of JSON on what came back.
-- wrk -s posts.lua http://127.0.0.1:PORT -- FILE PATH

local posts, at = {}, 0

function init(arguments)
  wrk.method = "POST"
  wrk.headers["content-type"] = "application/json"
  for body in io.lines(arguments[1]) do
    posts[#posts + 1] = wrk.format(nil, arguments[2], nil, body)
  end
end

function request()
  at = at % #posts + 1
  return posts[at]
end

function done(summary, latency)
  local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"refused":%d,"lost":%d,"p50":%.3f,"p99":%.3f}\n',
    summary.requests, summary.duration / 1e6, summary.errors.status, lost,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

-- As posts.lua, and so many requests a second in all, as far as a connection is free: an open loop. An answer that comes
-- after PATIENCE seconds is late; what is sent in the first RAMP seconds, while all connect, is not counted.
-- With HEED above 0, a connection that gets a 429 sends nothing for the seconds of its Retry-After.
-- wrk -s paced.lua http://127.0.0.1:PORT -- FILE PATH RATE PATIENCE RAMP HEED

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "posts.lua")

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
local moment = ffi.new("moment")
local read, post = init, request
local step, turn, patience, from, heed = nil, nil, nil, nil, nil
local pauses, first, last = {}, 1, 0 -- of the connections that have their answer, in the order of the answers
local BEHIND = 100 -- milliseconds of requests that are made up for where no connection was free; earlier ones never come
local threads = {}

local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) * 1e3 + tonumber(moment.ns) / 1e6
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  read(arguments)
  step, patience, from = 1e3 / arguments[3], arguments[4] * 1e3, now() + arguments[5] * 1e3
  heed = tonumber(arguments[6] or "0") > 0
  answered, late, refused = 0, 0, 0 -- global, so that done finds them
end

function delay()
  local time = now()
  local pause = pauses[first] or 0
  if first <= last then
    pauses[first], first = nil, first + 1
  end
  if pause > 0 then
    return pause -- it takes no turn of the others
  end
  turn = math.max((turn or time) + step, time - BEHIND)
  return math.max(0, math.floor(turn - time))
end

-- A request's id says when it was sent, and comes back with its answer.
function request()
  local whole = post()
  local line = whole:find("\r\n", 1, true) + 1
  return whole:sub(1, line) .. "X-Request-ID: " .. math.floor(now()) .. "\r\n" .. whole:sub(line + 1)
end

function response(status, headers)
  if heed then
    last = last + 1
    pauses[last] = status == 429 and 1e3 * tonumber(headers["retry-after"]) or 0
  end
  local sent = tonumber(headers["x-request-id"])
  if sent < from then
    return
  elseif status ~= 200 then
    refused = refused + 1
  elseif now() - sent > patience then
    late = late + 1
  else
    answered = answered + 1
  end
end

function done(summary, latency)
  local thread, errors = threads[1], summary.errors
  io.write(string.format(
    '{"answered":%d,"late":%d,"refused":%d,"lost":%d}\n', thread:get("answered"), thread:get("late"),
    thread:get("refused"), errors.connect + errors.read + errors.write + errors.timeout))
end

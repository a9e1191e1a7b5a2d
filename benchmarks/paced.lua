-- As posts.lua, and so many requests a second in all, as far as a connection is free: an open loop. An answer that comes
-- after PATIENCE seconds is late; what is sent in the first RAMP seconds, while all connect, is not counted.
-- wrk -s paced.lua http://127.0.0.1:PORT -- FILE PATH RATE PATIENCE RAMP

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "posts.lua")

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
local moment = ffi.new("moment")
local read, post = init, request
local step, turn, patience, from = nil, nil, nil, nil
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
  answered, late, refused = 0, 0, 0 -- global, so that done finds them
end

function delay()
  local time = now()
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

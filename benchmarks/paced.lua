-- As posts.lua, and so many requests a second in all, as far as a connection is free: an open loop.
-- wrk -s paced.lua http://127.0.0.1:PORT -- FILE PATH RATE

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "posts.lua")

local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
local moment = ffi.new("moment")
local read, step, turn = init, nil, nil
local BEHIND = 100 -- milliseconds of requests that are made up for where no connection was free; earlier ones never come

local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) * 1e3 + tonumber(moment.ns) / 1e6
end

function init(arguments)
  read(arguments)
  step = 1e3 / tonumber(arguments[3])
end

function delay()
  local time = now()
  turn = math.max((turn or time) + step, time - BEHIND)
  return math.max(0, math.floor(turn - time))
end

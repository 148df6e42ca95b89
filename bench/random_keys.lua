-- wrk: requests for random keys, GET or POST with a value, and the figures as one JSON line.
--
--   wrk ... -s random_keys.lua URL -- METHOD TARGET KEYS VALUES VALUE_BYTES SEED
--
-- TARGET is followed by a key "bench:000000" .. "bench:<KEYS - 1>"; VALUES is a file of values of
-- VALUE_BYTES each, of which a POST takes one at random. There is no response function: it would
-- cost wrk more than the servers take; wrk itself counts every status above 399.

local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    method = arguments[1]
    target = arguments[2]
    keys = tonumber(arguments[3])
    values = {}
    local file = assert(io.open(arguments[4], "rb"))
    local value = file:read(tonumber(arguments[5]))
    while value do
        values[#values + 1] = value
        value = file:read(tonumber(arguments[5]))
    end
    file:close()
    math.randomseed(tonumber(arguments[6]) + 1000 * number)
    assert(keys > 0 and #values > 0)
end

function request()
    local path = string.format("%sbench:%06d", target, math.random(0, keys - 1))
    if method == "GET" then
        return wrk.format("GET", path)
    end
    return wrk.format(method, path, nil, values[math.random(#values)])
end

function done(summary, latency, requests)
    io.write(string.format(
        '{"requests":%d,"microseconds":%d,"connect":%d,"read":%d,"write":%d,"status":%d,' ..
        '"timeout":%d,"p50":%d,"p99":%d}\n',
        summary.requests, summary.duration, summary.errors.connect, summary.errors.read,
        summary.errors.write, summary.errors.status, summary.errors.timeout,
        latency:percentile(50), latency:percentile(99)))
end

-- wrk: GET /products/{random id}/styles. Every thread has a sequence of its own; the highest id is the script's argument.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    products = tonumber(args[1])
    math.randomseed(number * 7919 + 1)
end

function request()
    return wrk.format("GET", "/products/" .. math.random(products) .. "/styles")
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"p999":%d,"errors":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
        e.connect + e.read + e.write + e.timeout + e.status))
end

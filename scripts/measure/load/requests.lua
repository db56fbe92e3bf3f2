-- For wrk: repeats GET requests, in random order or in that of a file. Each thread has a different sequence, which depends on the seed. Arguments:
--     random SEED PRODUCTS   /products/{id}/styles of random products
--     file SEED FILE         the requests of a file: each line has a path and, after a tab, a header
--     trace SEED FILE        the requests of a file in their order, each thread from another place on
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    math.randomseed(tonumber(args[2]) * 7919 + number + 1)
    if args[1] == "random" then
        -- Not with wrk.format, which takes as long as everything else together.
        local products = tonumber(args[3])
        local rest = "/styles HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
        request = function() return "GET /products/" .. math.random(products) .. rest end
        return
    end
    local requests = {}
    for line in io.lines(args[3]) do
        local path, header = line:match("^([^\t]+)\t?(.*)$")
        local headers = {Host = wrk.headers["Host"]}
        local name, value = header:match("^([^:]+): (.+)$")
        if name then headers[name] = value end
        requests[#requests + 1] = wrk.format("GET", path, headers)
    end
    local count = #requests
    if args[1] == "trace" then
        -- math.random would repeat some requests before all have been sent, which a cache answers.
        local at = math.floor(count / 2) * number + math.random(count)
        request = function()
            at = at % count + 1
            return requests[at]
        end
        return
    end
    request = function() return requests[math.random(count)] end
end

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('{"requests":%d,"microseconds":%d,"bytes":%d,"p50":%d,"p99":%d,"p999":%d,"errors":%d,' ..
        '"kinds":{"connect":%d,"read":%d,"write":%d,"timeout":%d,"status":%d}}\n',
        summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
        e.connect + e.read + e.write + e.timeout + e.status, e.connect, e.read, e.write, e.timeout, e.status))
end

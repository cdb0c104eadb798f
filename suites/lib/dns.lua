-- DNS configuration by Router Advertisements, RFC 8106, as far as it shows: to which server the NUT sends its
-- queries, and for which names. TN2 is the server: an off-link address, so that it is reached as any other.
--
-- The kernel resolves no names and keeps no list of servers. What it has to do is to check the advertisement and
-- to hand its DNS options to user space, each time and at once. There Debian's rdnssd writes the servers and
-- search domains to resolv.conf, for the time that the options say, and the resolver of the C library reads it.
-- docs/design/005-dns.md says why these.
local echo = use "echo"
local setup = use "setup"

local dns = {}

-- DNS information must be taken from Router Advertisements ...
dns.TAKEN = "RFC 8106 1 MUST"
-- ... and what was advertised with lifetime zero must not be used any more.
dns.SERVER_WITHDRAWN = "RFC 8106 5.1 MUST"
dns.DOMAIN_WITHDRAWN = "RFC 8106 5.2 MUST"
-- Nor may what has expired: sections 5.1, 5.2 and 6.2 say so without a key word.
dns.SUPPORTED = "RFC 8504 8.3 MUST"

-- The clauses of every test of it, and one more.
function dns.clauses(more)
	return { dns.TAKEN, setup.ADDRESS, echo.REPLY, more }
end

dns.DOMAIN = "test.example.com"

-- How long a query may take. The resolver sends it at once; it may have to resolve the router first.
local WINDOW = 5

-- A DNS client hears no advertisement that came before it was there. Its socket is in the group of rtnetlink for
-- options of Neighbor Discovery (RTNLGRP_ND_USEROPT, 20): that shows when it is.
local START = [[
rdnssd -u root -r /etc/resolv.conf -p /run/rdnssd.pid || exit 1
for attempt in 1 2 3 4 5 6 7 8 9 10; do
	grep -q ' 00080000 ' /proc/net/netlink && exit 0
	usleep 50000
done
echo 'rdnssd has opened no socket'
exit 1
]]

-- Set-up 1.1, and a DNS client in the NUT that knows neither servers nor search domains.
function dns.set_up(t)
	setup.one_router(t)
	t:command{ "sh", "-c", START }
end

-- TR1 advertises the DNS options that are given, and that it is a router still.
function dns.advertise(t, ...)
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / ra{ router_lifetime = 1800, options = { ... } })
	t:wait(0.2) -- user space has its turn
end

-- The option that TN2 is the server, for so many seconds.
function dns.server(t, lifetime)
	return nd_rdnss{ lifetime = lifetime, addresses = t.tn2.global }
end

-- The option that names are looked for in dns.DOMAIN, for so many seconds.
function dns.search(lifetime)
	return nd_dnssl{ lifetime = lifetime, names = dns.DOMAIN }
end

-- The NUT sends an Echo Request to the name, which it has to resolve for that. The program is left to itself, so
-- that the test can play the server meanwhile. A DNS client that has ended is trouble of the lab.
local function ping(t, name)
	t:command{ "sh", "-c", "kill -0 $(cat /run/rdnssd.pid) && ping -6 -c 1 -W 1 " .. name .. " > /dev/null 2>&1 &" }
end

-- Header and question of a DNS message: RFC 1035 sections 4.1.1 and 4.1.2.
local HEADER_SIZE = 12
local RESPONSE, NO_SUCH_NAME = 0x8180, 0x8183 -- an answer of a recursive server; its response code 3
local AAAA, IN = 28, 1

-- The name that a query asks for, and where in the message its question ends.
local function read_question(message)
	local labels, at = {}, HEADER_SIZE + 1
	while true do
		local label, after = string.unpack(">s1", message, at)
		at = after
		if label == "" then
			return table.concat(labels, "."):lower(), at + 3
		end
		table.insert(labels, label)
	end
end

local function is_in_domain(name)
	return name:sub(-#dns.DOMAIN - 1) == "." .. dns.DOMAIN
end

-- The server's answer: TN1's address, once and for no longer (TTL 0) if the name is one of dns.DOMAIN; otherwise
-- there is no such name.
local function answer(t, query, name, question_end)
	local message = query.raw.data
	local id, question = message:sub(1, 2), message:sub(HEADER_SIZE + 1, question_end)
	local known = is_in_domain(name)
	local response = id .. string.pack(">I2I2I2I2I2", known and RESPONSE or NO_SUCH_NAME, 1, known and 1 or 0, 0, 0)
		.. question
	if known then
		local address = (ip6{ src = t.tn1.global, dst = t.tn1.global }):bytes():sub(9, 24)
		-- The name of the record is the one of the question, 12 octets from the beginning.
		response = response .. string.pack(">I2I2I2I4s2", 0xc000 + HEADER_SIZE, AAAA, IN, 0, address)
	end
	t.tn2:send(ip6{ src = t.tn2.global, dst = query.ip6.src }
		/ udp{ src_port = 53, dst_port = query.udp.src_port } / response)
end

-- The next query that comes to the server within so many seconds: the name it asks for, and it is answered.
-- Nothing if none comes and none had to.
local function next_query(t, options)
	local query = t:expect(ip6{ dst = t.tn2.global } / udp{ dst_port = 53 }, options)
	if query then
		local name, question_end = read_question(query.raw.data)
		answer(t, query, name, question_end)
		return name
	end
end

-- The NUT looks for `name`: the server must be asked for `asked`, the same name if it is not given. A resolver may
-- ask for other names first.
function dns.expect_query(t, name, why, asked)
	asked = asked or name
	ping(t, name)
	repeat
		local seen = next_query(t, { from = t.nut, to = t.tr1, within = WINDOW, clause = dns.TAKEN,
			why = string.format("%s: the server must be asked for %s", why, asked) })
	until seen == asked
end

-- The NUT looks for `name`: the server must not be asked at all.
function dns.expect_no_query(t, name, clause, why)
	ping(t, name)
	t:expect_none(ip6{ dst = t.tn2.global } / udp{ dst_port = 53 }, { during = WINDOW, clause = clause, why = why })
end

-- The NUT looks for `name`, which has no dot: the server may be asked for it, but for no name in dns.DOMAIN.
function dns.expect_no_search(t, name, clause, why)
	ping(t, name)
	local deadline = t:now() + WINDOW
	while true do
		local seen = next_query(t, { from = t.nut, within = math.max(0, deadline - t:now()), clause = clause,
			level = "MAY", why = "a resolver may ask for the name as it is" })
		if not seen then
			return
		end
		t:check(not is_in_domain(seen), string.format("the server is asked for %s: %s", seen, why), { clause = clause })
	end
end

return dns

-- Section 2 of the Core Protocols list: Router Advertisements with DNS servers and search domains, RFC 8106.
--
-- The list has these as one advertisement and one look-up each. Here what must not be used was in use before, and
-- what must be in use is asked for again afterwards: silence alone would be a node that resolves nothing.
local dns = use "dns"
local timing = use "timing"

-- The list's own name, of a host in the domain that is searched.
local HOST = "node1"
local NAME = HOST .. "." .. dns.DOMAIN

-- Seconds: longer than any of the tests, and short enough to be waited for.
local LONG, SHORT = 600, 60

local function title(part)
	return "Processing Router Advertisement DNS (Hosts Only) - Part " .. part
end

test {
	id = "v6LC.2.2.25.A",
	title = title("A: Recursive DNS Option"),
	role = "host",
	requires = dns.clauses(),
	run = function(t)
		dns.set_up(t)
		dns.expect_no_query(t, NAME, dns.TAKEN, "nobody has told the NUT of a server yet")
		dns.advertise(t, dns.server(t, LONG))
		dns.expect_query(t, NAME, "TR1 has advertised a server")
	end,
}

test {
	id = "v6LC.2.2.25.B",
	title = title("B: Recursive DNS Option lifetime 0"),
	role = "host",
	requires = dns.clauses(dns.SERVER_WITHDRAWN),
	run = function(t)
		dns.set_up(t)
		dns.advertise(t, dns.server(t, LONG))
		dns.expect_query(t, NAME, "TR1 has advertised a server")
		dns.advertise(t, dns.server(t, 0))
		dns.expect_no_query(t, NAME, dns.SERVER_WITHDRAWN, "the server was advertised with lifetime 0")
		dns.advertise(t, dns.server(t, LONG))
		dns.expect_query(t, NAME, "TR1 has advertised the server again")
	end,
}

test {
	id = "v6LC.2.2.25.C",
	title = title("C: Recursive DNS Option Expired"),
	role = "host",
	requires = dns.clauses(dns.SUPPORTED),
	timeout = 120,
	run = function(t)
		dns.set_up(t)
		dns.advertise(t, dns.server(t, SHORT))
		dns.expect_query(t, NAME, "TR1 has advertised a server")
		t:wait(timing.latest(SHORT))
		dns.expect_no_query(t, NAME, dns.SUPPORTED, string.format("the lifetime of the server, %d s, is over", SHORT))
		dns.advertise(t, dns.server(t, SHORT))
		dns.expect_query(t, NAME, "TR1 has advertised the server again")
	end,
}

test {
	id = "v6LC.2.2.25.D",
	title = title("D: Search List Option"),
	role = "host",
	requires = dns.clauses(),
	run = function(t)
		dns.set_up(t)
		dns.advertise(t, dns.server(t, LONG))
		dns.expect_no_search(t, HOST, dns.TAKEN, "nobody has told the NUT of a domain to search yet")
		dns.advertise(t, dns.server(t, LONG), dns.search(LONG))
		dns.expect_query(t, HOST, "TR1 has advertised a domain to search", NAME)
	end,
}

test {
	id = "v6LC.2.2.25.E",
	title = title("E: Search List Option with a Lifetime of 0"),
	role = "host",
	requires = dns.clauses(dns.DOMAIN_WITHDRAWN),
	run = function(t)
		dns.set_up(t)
		dns.advertise(t, dns.server(t, LONG), dns.search(LONG))
		dns.expect_query(t, HOST, "TR1 has advertised a domain to search", NAME)
		dns.advertise(t, dns.server(t, LONG), dns.search(0))
		-- The list wants no query at all. RFC 8106 forbids the domain only, and a resolver may ask for the
		-- name as it is.
		dns.expect_no_search(t, HOST, dns.DOMAIN_WITHDRAWN, "the domain was advertised with lifetime 0")
		dns.expect_query(t, NAME, "the server is still one")
	end,
}

test {
	id = "v6LC.2.2.25.F",
	title = title("F: Search List Option Expired"),
	role = "host",
	requires = dns.clauses(dns.SUPPORTED),
	timeout = 120,
	run = function(t)
		dns.set_up(t)
		dns.advertise(t, dns.server(t, LONG), dns.search(SHORT))
		dns.expect_query(t, HOST, "TR1 has advertised a domain to search", NAME)
		t:wait(timing.latest(SHORT))
		-- Routers repeat what they advertise; TR1 does so without the domain. It must not be kept for that:
		-- each option has its own lifetime. (Without the advertisement the test would be one of rdnssd, which
		-- looks for domains that are over only when an option comes or a server's time is over.)
		dns.advertise(t, dns.server(t, LONG))
		dns.expect_no_search(t, HOST, dns.SUPPORTED,
			string.format("the lifetime of the domain, %d s, is over", SHORT))
		dns.expect_query(t, NAME, "the server is still one")
	end,
}

-- Section 5 of the Core Protocols list: ICMPv6, RFC 4443.
local echo = use "echo"
local errors = use "errors"
local setup = use "setup"

-- An Echo Request that fills a packet of 1500 octets.
local FULL = 1500 - 40 - 8

test {
	id = "v6LC.5.1.2.A",
	title = "Replying to Echo Requests - Part A: Request sent to Link-Local address",
	role = "host",
	requires = { "RFC 4443 4.2 MUST", "RFC 4443 2.2 MUST" },
	run = function(t)
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local } / echo.request(1, FULL))
		t:expect(echo.reply(1, FULL, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })
	end,
}

test {
	id = "v6LC.5.1.2.B",
	title = "Replying to Echo Requests - Part B: Request sent to global address",
	role = "host",
	requires = { "RFC 4443 4.2 MUST", "RFC 4443 2.2 MUST", "RFC 4862 5.4 MUST" },
	run = function(t)
		local address = setup.one_router(t)
		t.tn1:send(ip6{ src = t.tn1.global, dst = address } / echo.request(1, FULL))
		t:expect(echo.reply(1, FULL, { src = address, dst = t.tn1.global }),
			{ to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })
	end,
}

test {
	id = "v6LC.5.1.2.C",
	title = "Replying to Echo Requests - Part C: Request sent to multicast address - All Nodes Addresses",
	role = "host",
	requires = { "RFC 4443 4.2 SHOULD", "RFC 4443 4.2 MUST" },
	run = function(t)
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = "ff02::1" } / echo.request(1))
		local reply = t:expect(echo.reply(1, 8, { dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = "RFC 4443 4.2 SHOULD" })
		if reply then
			t:check(reply.ip6.src == t.nut.link_local, "the reply comes from a unicast address of the interface",
				{ clause = echo.REPLY })
		end
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.5.1.3.C",
	title = "Destination Unreachable Message Generation - Part C: Port Unreachable - Link-Local Address - All Nodes",
	role = "host",
	requires = { "RFC 4443 3.1 SHOULD", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST" },
	run = function(t)
		-- Nobody listens on port 9000.
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ udp{ src_port = 9001, dst_port = 9000 } / raw{ data = echo.data(56) })
		errors.expect_unreachable(t, sent, { to = t.tn1, code = 4, clause = "RFC 4443 3.1 SHOULD" })
		echo.control(t, t.tn1, 1)
	end,
}

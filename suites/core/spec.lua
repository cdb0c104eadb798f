-- Section 1 of the Core Protocols list: the IPv6 base specification, RFC 8200.
local echo = use "echo"
local errors = use "errors"
local setup = use "setup"
local silence = use "silence"

-- Option types that nobody uses, one for each action that the two highest bits ask for
-- (RFC 8200 4.2). The list's own 17, 71, 135 and 199 are half assigned by now; these are for
-- experiments (RFC 4727 section 3.6) and stay free.
local SKIP, DISCARD, REPORT, REPORT_UNICAST = 0x1e, 0x5e, 0x9e, 0xde

local function option(kind, size)
	return opt_unknown{ type = kind, data = string.rep("\0", size) }
end

local PADDING = padn{ data = string.rep("\0", 4) }

test {
	id = "v6LC.1.1.2",
	title = "Traffic Class Non-Zero - End Node",
	role = "host",
	requires = { "RFC 4443 4.2 MUST", "RFC 2474 3 MUST NOT" },
	run = function(t)
		-- CS1, ECN bits 00: a codepoint that the node need not know must do no harm.
		t.tn1:send(ip6{ traffic_class = 0x20, dst = t.nut.link_local } / echo.request(1))
		local reply = t:expect(echo.reply(1, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = "RFC 2474 3 MUST NOT" })
		t:note(string.format("traffic class of the reply: 0x%02x", reply.ip6.traffic_class))
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.1.5.A",
	title = "Payload Length - Part A: Payload Length Odd",
	role = "host",
	requires = { "RFC 4443 4.2 MUST" },
	run = function(t)
		-- 8 octets of ICMPv6 header and 43 of data: Payload Length 51.
		t.tn1:send(ip6{ dst = t.nut.link_local } / echo.request(1, 43))
		t:expect(echo.reply(1, 43, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })
	end,
}

test {
	id = "v6LC.1.1.6.A",
	title = "No Next Header after IPv6 Header - Part A: NUT Receives No Next Header",
	role = "host",
	requires = { "RFC 8200 4.7 must", "RFC 4443 4.2 MUST" },
	run = function(t)
		echo.control(t, t.tn1, 1)
		-- What follows looks like an Echo Request and must be ignored: 59 is a known value, so
		-- there is nothing to report either.
		t.tn1:send(ip6{ dst = t.nut.link_local, next_header = 59 } / echo.request(2))
		silence.expect(t, 2, "RFC 8200 4.7 must", "octets behind No Next Header must be ignored")
		echo.control(t, t.tn1, 3)
	end,
}

test {
	id = "v6LC.1.1.8",
	title = "Hop Limit Zero - End Node",
	role = "host",
	requires = { "RFC 8200 3 should", "RFC 4443 4.2 MUST" },
	run = function(t)
		-- A destination should process a packet that arrives with Hop Limit 0 as any other.
		t.tn1:send(ip6{ dst = t.nut.link_local, hop_limit = 0 } / echo.request(1))
		t:expect(echo.reply(1, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = "RFC 8200 3 should" })
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.2.1",
	title = "Next Header Zero",
	role = "host",
	requires = {
		"RFC 8200 4 should", "RFC 4443 3.4 MUST", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	run = function(t)
		-- The first Hop-by-Hop Options header announces a second one: only right behind the
		-- IPv6 header may there be one. The pointer is to the Next Header field of the first.
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ hop_by_hop{ PADDING } / hop_by_hop{ PADDING } / echo.request(1))
		errors.expect_problem(t, sent, { to = t.tn1, code = 1, pointer = 0x28, clause = "RFC 8200 4 should" })
		silence.no_reply(t, 1, "RFC 4443 3.4 MUST")
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.2.5.B",
	title = "Option Processing Order - Part B: First Option has Most Significant Bits 00b, "
		.. "Next has Most Significant Bits 10b",
	role = "host",
	requires = { "RFC 8200 4.2 must", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST" },
	run = function(t)
		-- Strictly in order: the first is skipped, the second (at 0x30) ends it.
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ dst_options{ option(SKIP, 4), option(REPORT, 6), option(REPORT_UNICAST, 6), option(DISCARD, 6) }
			/ echo.request(1))
		errors.expect_problem(t, sent, { to = t.tn1, code = 2, pointer = 0x30, clause = "RFC 8200 4.2 must" })
		silence.no_reply(t, 1, "RFC 8200 4.2 must")
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.2.8.D",
	title = "Option Processing, Destination Options Header - Part D: Most Significant Bits 01b",
	role = "host",
	requires = { "RFC 8200 4.2 must", "RFC 4443 4.2 MUST" },
	run = function(t)
		echo.control(t, t.tn1, 1)
		t.tn1:send(ip6{ dst = t.nut.link_local } / dst_options{ option(DISCARD, 4) } / echo.request(2))
		silence.expect(t, 2, "RFC 8200 4.2 must", "an unknown option of action 01 means: discard silently")
		echo.control(t, t.tn1, 3)
	end,
}

test {
	id = "v6LC.1.2.8.E",
	title = "Option Processing, Destination Options Header - Part E: Most Significant Bits 10b, "
		.. "unicast destination",
	role = "host",
	requires = { "RFC 8200 4.2 must", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST" },
	run = function(t)
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ dst_options{ option(REPORT, 4) } / echo.request(1))
		errors.expect_problem(t, sent, { to = t.tn1, code = 2, pointer = 0x2a, clause = "RFC 8200 4.2 must" })
		silence.no_reply(t, 1, "RFC 8200 4.2 must")
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.3.1.A",
	title = "Fragment Reassembly - Part A: All Fragments are Valid",
	role = "host",
	requires = { "RFC 8504 5.1 MUST", "RFC 4443 4.2 MUST", "RFC 4862 5.4 MUST" },
	run = function(t)
		setup.one_router(t)
		-- 88 octets of ICMPv6 in pieces of 32, 32 and 24.
		local whole = ip6{ src = t.tn1.link_local, dst = t.nut.link_local, hop_limit = 255 } / echo.request(1, 80)
		for _, piece in ipairs(fragments(whole, { 32, 32, 24, identification = 0x1310 })) do
			t.tn1:send(piece)
		end
		t:expect(echo.reply(1, 80, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = "RFC 8504 5.1 MUST", why = "the fragments must be reassembled" })
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.3.3",
	title = "Fragment Header M-Bit Set, Payload Length Invalid",
	role = "host",
	requires = {
		"RFC 8200 4.5 must", "RFC 8200 4.5 should", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	run = function(t)
		-- More fragments follow, but this one is 13 octets long, which is no multiple of 8. The
		-- pointer is to the Payload Length field.
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ fragment{ more = 1, identification = 0x1330 } / echo.request(1, 5))
		errors.expect_problem(t, sent, { to = t.tn1, code = 0, pointer = 4, clause = "RFC 8200 4.5 should" })
		silence.no_reply(t, 1, "RFC 8200 4.5 must")
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.1.3.4.A",
	title = "Atomic Fragment - Part A: Link-Local",
	role = "host",
	requires = { "RFC 6946 4 MUST", "RFC 8504 5.1 MUST NOT", "RFC 4443 4.2 MUST" },
	run = function(t)
		-- A Fragment header around a whole packet. The reply is whole and has none.
		t.tn1:send(ip6{ dst = t.nut.link_local }
			/ fragment{ offset = 0, more = 0, identification = 0x1340 } / echo.request(1))
		t:expect(echo.reply(1, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
			{ to = t.tn1, within = echo.WINDOW, clause = "RFC 6946 4 MUST" })
		t:expect_none(fragment{} / echo.any_reply(1), { during = 0, clause = "RFC 8504 5.1 MUST NOT" })
		echo.control(t, t.tn1, 2)
	end,
}

-- Section 1.1 of the Core Protocols list: the IPv6 header, RFC 8200 section 3.
local echo = use "echo"
local errors = use "errors"
local silence = use "silence"

test {
	id = "v6LC.1.1.1",
	title = "Version Field",
	role = "host",
	requires = { "RFC 4443 4.2 MUST" },
	timeout = 60,
	run = function(t)
		-- No RFC says what to do with another version behind the EtherType of IPv6. The node has to
		-- outlive it; whether it answers is only noted.
		for index, version in ipairs{ 4, 0, 5, 7, 15 } do
			t.tn1:send(ip6{ version = version, dst = t.nut.link_local } / echo.request(2 * index))
			if t:expect(echo.any_reply(2 * index), { within = 1, clause = echo.REPLY, level = "MAY" }) then
				t:note(string.format("the NUT answers a packet of version %d", version))
			end
			echo.control(t, t.tn1, 2 * index + 1)
		end
	end,
}

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
	id = "v6LC.1.1.4.A",
	title = "Flow Label Non-Zero - Part A: NUT receives Non-Zero Flow Label",
	role = "host",
	requires = { "RFC 4443 4.2 MUST", "RFC 6437 3 RECOMMENDED" },
	run = function(t)
		-- The list wants 0 in the reply of a node that does not use labels. Today every node should:
		-- the same one for all packets of a flow.
		local labels = {}
		for number = 1, 2 do
			t.tn1:send(ip6{ flow_label = 0x34567, dst = t.nut.link_local } / echo.request(number))
			local reply = t:expect(echo.reply(number, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
				{ to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })
			labels[number] = reply.ip6.flow_label
		end
		t:note(string.format("flow label of the reply: 0x%05x", labels[1]))
		t:check(labels[1] == labels[2],
			string.format("two replies to the same node have the labels 0x%05x and 0x%05x", labels[1], labels[2]),
			{ clause = "RFC 6437 3 RECOMMENDED" })
	end,
}

-- An Echo Request with so many octets of data must come back whole.
local function payload_length_test(part, name, size)
	test {
		id = "v6LC.1.1.5." .. part,
		title = string.format("Payload Length - Part %s: Payload Length %s", part, name),
		role = "host",
		requires = { "RFC 4443 4.2 MUST" },
		run = function(t)
			t.tn1:send(ip6{ dst = t.nut.link_local } / echo.request(1, size))
			t:expect(echo.reply(1, size, { src = t.nut.link_local, dst = t.tn1.link_local }),
				{ to = t.tn1, within = echo.WINDOW, clause = echo.REPLY })
		end,
	}
end

-- With the 8 octets of the ICMPv6 header: Payload Length 51 and 50.
payload_length_test("A", "Odd", 43)
payload_length_test("C", "Even", 42)

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
	id = "v6LC.1.1.7.A",
	title = "Unrecognized Next Header - Part A: Unrecognized Next Header in IPv6 Header (Multiple Values)",
	role = "host",
	requires = {
		"RFC 8200 4 should", "RFC 4443 3.4 MUST", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	timeout = 600,
	run = function(t)
		errors.each_unassigned_header(t, function(value, number)
			-- The pointer is to the Next Header field of the IPv6 header.
			local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local, next_header = value }
				/ echo.request(number))
			errors.expect_problem(t, sent, { to = t.tn1, code = 1, pointer = 6, clause = "RFC 8200 4 should",
				why = string.format("Next Header %d should be reported", value) })
			t:expect_none(echo.any_reply(number), { during = 0, clause = "RFC 4443 3.4 MUST" })
		end)
	end,
}

test {
	id = "v6LC.1.1.7.B",
	title = "Unrecognized Next Header - Part B: Unexpected Next Header in IPv6 Header",
	role = "host",
	requires = {
		"RFC 8200 4.2 must", "RFC 9673 5.1 MUST", "RFC 4443 2.2 MUST", "RFC 4443 2.4 MUST", "RFC 4443 4.2 MUST",
	},
	run = function(t)
		echo.control(t, t.tn1, 3)
		-- Where Next Header 0 promises Hop-by-Hop Options there is a Fragment header. Read as options,
		-- it has two Pad1, then the Identification: Pad1, Pad1, option 0x87 with no data, at 0x2e. (The
		-- list says Identification 135, which would put the option into the last octet.)
		local sent = t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local, next_header = 0 }
			/ fragment{ identification = 0x00008700 } / echo.request(1))
		local answer = errors.expect_problem(t, sent, { to = t.tn1, code = 2, pointer = 0x2e,
			clause = "RFC 8200 4.2 must", level = "MAY" })
		if answer then
			silence.no_reply(t, 1, "RFC 8200 4.2 must")
		else
			t:expect(echo.reply(1, 8, { src = t.nut.link_local, dst = t.tn1.link_local }),
				{ to = t.tn1, within = 0, clause = "RFC 9673 5.1 MUST",
					why = "a node that does not report option 0x87 must process the rest of the packet" })
			t:note("the NUT does not process Hop-by-Hop Options")
			silence.no_error(t, 0, "RFC 9673 5.1 MUST", "a packet that was processed is not reported")
		end
		echo.control(t, t.tn1, 2)
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

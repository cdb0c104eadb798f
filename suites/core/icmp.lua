-- Section 5 of the Core Protocols list: ICMPv6, RFC 4443.
local echo = use "echo"
local errors = use "errors"
local options = use "options"
local pmtu = use "pmtu"
local reassembly = use "reassembly"
local setup = use "setup"
local silence = use "silence"

-- An Echo Request that fills a packet of 1500 octets.
local WHOLE = 1500
local FULL = WHOLE - 40 - 8

test {
	id = "v6LC.5.1.1",
	title = "Transmitting Echo Requests",
	role = "host",
	requires = { "RFC 4443 4.1 SHOULD", echo.REPLY },
	run = function(t)
		echo.control(t, t.tn1, 1)
		-- Nobody answers it: what is looked at is the request.
		t:command{ "ping", "-6", "-c", "1", "-W", "1", "-I", "eth0", t.tn1.link_local, may_fail = true }
		local request = t:expect(ip6{ dst = t.tn1.link_local, next_header = 58, hop_limit = range(1, 255) } / echo_request{},
			{ to = t.tn1, within = 1, clause = "RFC 4443 4.1 SHOULD", why = "a node should be able to send Echo Requests" })
		if not request then
			return
		end
		-- That it need not be sent does not mean that it may be wrong.
		t:check(request.echo_request.code == 0, string.format("its code is %d", request.echo_request.code),
			{ clause = "RFC 4443 4.1 SHOULD", level = "MUST" })
		t:check(request.ip6.src == t.nut.link_local,
			string.format("it comes from %s, the NUT has only its link-local address", request.ip6.src),
			{ clause = "RFC 4443 4.1 SHOULD", level = "MUST" })
	end,
}

test {
	id = "v6LC.5.1.2.A",
	title = "Replying to Echo Requests - Part A: Request sent to Link-Local address",
	role = "host",
	requires = pmtu.clauses{ "RFC 4443 2.2 MUST" },
	run = function(t)
		pmtu.expect_reply(t, pmtu.path_on_link(t, t.tn1, t.tn1.link_local, t.nut.link_local), WHOLE)
	end,
}

test {
	id = "v6LC.5.1.2.B",
	title = "Replying to Echo Requests - Part B: Request sent to global address",
	role = "host",
	requires = pmtu.clauses{ "RFC 4443 2.2 MUST" },
	run = function(t)
		local address = setup.one_router(t)
		pmtu.expect_reply(t, pmtu.path_on_link(t, t.tn1, t.tn1.global, address), WHOLE)
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

-- Nobody has these addresses on a link, so what comes for them must not be answered.
for _, row in ipairs{
	{ part = "E", to = "unspecified address", destination = "::", clause = "RFC 4291 2.5.2 must not",
		why = ":: is no destination" },
	{ part = "F", to = "loopback address", destination = "::1", clause = "RFC 4291 2.5.3 must",
		why = "what comes from a link for ::1 must be dropped" },
} do
	test {
		id = "v6LC.5.1.2." .. row.part,
		title = string.format("Replying to Echo Requests - Part %s: Request sent to %s", row.part, row.to),
		role = "host",
		requires = { row.clause, echo.REPLY },
		run = function(t)
			echo.control(t, t.tn1, 1)
			t.tn1:send(ether{ src = t.tn1.mac, dst = t.nut.mac }
				/ ip6{ src = t.tn1.link_local, dst = row.destination } / echo.request(2, FULL))
			t:expect_none(echo.any_reply(2), { during = echo.SILENCE, clause = row.clause, why = row.why })
			echo.control(t, t.tn1, 3)
		end,
	}
end

-- Site-local addresses are global unicast addresses by now (RFC 4291 2.5.7, RFC 3879). The list has
-- TR1 advertise FEC0::/10, of which no address can be formed (RFC 4862 5.5.3 d): this is a /64 of it.
local SITE_LOCAL = "fec0:0:0:1::"

test {
	id = "v6LC.5.1.2.G",
	title = "Replying to Echo Requests - Part G: Request sent to Site-Local address",
	role = "host",
	requires = pmtu.clauses{ "RFC 4291 2.5.7 must", errors.SOURCE },
	run = function(t)
		setup.one_router(t)
		local address = setup.another_prefix(t, SITE_LOCAL)
		pmtu.expect_reply(t, pmtu.path_on_link(t, t.tn1, t.tn1.link_local, address), WHOLE, "RFC 4291 2.5.7 must")
	end,
}

-- A datagram to a port that nobody listens on.
local function to_closed_port(source, destination)
	return ip6{ src = source, dst = destination } / udp{ src_port = 9001, dst_port = 9000 } / raw{ data = echo.data(56) }
end

local function link_local_addresses(t)
	return t.tn1.link_local, t.nut.link_local
end

local function global_addresses(t)
	local address = setup.one_router(t)
	return t.tn1.global, address
end

for _, row in ipairs{
	{ part = "C", kind = "Link-Local", addresses = link_local_addresses },
	{ part = "D", kind = "Global", addresses = global_addresses },
} do
	test {
		id = "v6LC.5.1.3." .. row.part,
		title = string.format("Destination Unreachable Message Generation - Part %s: "
			.. "Port Unreachable - %s Address - All Nodes", row.part, row.kind),
		role = "host",
		requires = { "RFC 4443 3.1 SHOULD", errors.SOURCE, errors.QUOTE, echo.REPLY, setup.ADDRESS },
		run = function(t)
			local from, to = row.addresses(t)
			local sent = t.tn1:send(to_closed_port(from, to))
			errors.expect_unreachable(t, sent, { to = t.tn1, code = 4, clause = "RFC 4443 3.1 SHOULD" })
			echo.control(t, t.tn1, 1)
		end,
	}
end

test {
	id = "v6LC.5.1.6#2",
	title = "Erroneous Header Field (Parameter Problem Generation)",
	role = "host",
	requires = {
		reassembly.ABANDON, reassembly.REPORT, errors.SOURCE, errors.QUOTE, echo.REPLY, setup.ADDRESS,
	},
	timeout = 90,
	run = function(t)
		-- More fragments follow, but this one has 29 octets, which is no multiple of 8: Payload Length
		-- 37, as in the list, whose 5 octets of data do not add up to that. The pointer is to that field.
		local address = setup.one_router(t)
		local sent = t.tn1:send(ip6{ src = t.tn1.global, dst = address }
			/ fragment{ more = 1, identification = 0x5160 } / echo.request(1, 21))
		errors.expect_problem(t, sent, { to = t.tn1, code = 0, pointer = 4, clause = reassembly.REPORT })
		-- It was discarded, so there is nothing to give up later.
		t:expect_none(time_exceeded{},
			{ during = reassembly.LATEST, clause = reassembly.ABANDON, why = "the fragment must have been discarded" })
		t:expect_none(echo.any_reply(1), { during = 0, clause = reassembly.ABANDON })
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.5.1.7",
	title = "Unrecognized Next Header (Parameter Problem Generation)",
	role = "host",
	requires = {
		"RFC 8200 4 should", "RFC 4443 3.4 MUST", errors.SOURCE, errors.QUOTE, echo.REPLY, setup.ADDRESS,
	},
	run = function(t)
		-- 252 is assigned to nobody. What follows it looks like an Echo Request and must be discarded
		-- with the rest. The pointer is to the Next Header field of the Destination Options header.
		local address = setup.one_router(t)
		local sent = t.tn1:send(ip6{ src = t.tn1.global, dst = address }
			/ dst_options{ next_header = 252, options.PADDING } / echo.request(1, 48))
		errors.expect_problem(t, sent, { to = t.tn1, code = 1, pointer = 0x28, clause = "RFC 8200 4 should" })
		silence.no_reply(t, 1, "RFC 4443 3.4 MUST")
		echo.control(t, t.tn1, 2)
	end,
}

test {
	id = "v6LC.5.1.8",
	title = "Unknown Informational Message Type",
	role = "host",
	requires = { "RFC 4443 2.4 MUST", echo.REPLY },
	run = function(t)
		echo.control(t, t.tn1, 1)
		-- The body has identifier and sequence number 2, should the NUT take it for an Echo Request.
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = t.nut.link_local }
			/ icmp6{ type = 254, data = bytes(0, 2, 0, 2, echo.data(8)) })
		silence.expect(t, 2, "RFC 4443 2.4 MUST", "an informational message of unknown type must be silently discarded")
		echo.control(t, t.tn1, 3)
	end,
}

-- What no ICMPv6 error may be sent about (RFC 4443 2.4 e). Each test sends something that the NUT
-- reports when all is well with its addresses, and something just like it that it must not report.
-- The first is only noted: other tests judge whether the NUT reports it.
local NO_ERROR = "RFC 4443 2.4 MUST NOT"
local function no_error_clauses(control)
	return { NO_ERROR, control, errors.SOURCE, errors.QUOTE, echo.REPLY, setup.ADDRESS }
end
local PORT = "RFC 4443 3.1 SHOULD"

local function noted(t, options_of_error)
	options_of_error.to = t.tn1
	options_of_error.level = "MAY"
	options_of_error.why = "control: the NUT sends this error when it may"
	return options_of_error
end

-- No port unreachable for a datagram with these addresses.
local function no_port_error(t, source, destination, address, why)
	echo.control(t, t.tn1, 1)
	t.tn1:send(to_closed_port(source, destination))
	silence.no_error(t, echo.SILENCE, NO_ERROR, why)
	local sent = t.tn1:send(to_closed_port(t.tn1.global, address))
	errors.expect_unreachable(t, sent, noted(t, { code = 4, clause = PORT }))
	echo.control(t, t.tn1, 2)
end

-- The first fragment of an Echo Request, of which no other will come.
local function first_fragment(source, destination, number)
	return reassembly.fragments_of(number, source, destination, 0x5100 + number)[1]
end

-- No Time Exceeded for a packet with these addresses that is not completed.
local function no_timeout_error(t, source, destination, address, why)
	echo.control(t, t.tn1, 1)
	local sent = t.tn1:send(first_fragment(t.tn1.global, address, 2))
	t.tn1:send(first_fragment(source, destination, 3))
	errors.expect_time_exceeded(t, sent,
		noted(t, { code = 1, within = reassembly.LATEST, clause = reassembly.REPORT }))
	silence.no_error(t, reassembly.LATEST, NO_ERROR, why)
	echo.control(t, t.tn1, 4)
end

-- No Parameter Problem for an Echo Request with an unknown option of action 10, and no reply.
local function no_option_error(t, source, destination, address, why)
	local function with_option(from, to, number)
		return ip6{ src = from, dst = to }
			/ dst_options{ options.unknown(options.REPORT, 4) } / echo.request(number)
	end
	echo.control(t, t.tn1, 1)
	t.tn1:send(with_option(source, destination, 2))
	t:expect_none(echo.any_reply(2),
		{ during = echo.SILENCE, clause = options.ACTION, why = "the option means: discard the packet" })
	silence.no_error(t, 0, NO_ERROR, why)
	local sent = t.tn1:send(with_option(t.tn1.global, address, 3))
	errors.expect_problem(t, sent, noted(t, { code = 2, pointer = 0x2a, clause = options.ACTION }))
	echo.control(t, t.tn1, 4)
end

for _, row in ipairs{
	{ part = "A", error = "UDP Port Unreachable", step = no_port_error, control = PORT },
	{ part = "B", error = "Echo Request Reassembly Timeout", step = no_timeout_error, control = reassembly.REPORT },
} do
	test {
		id = "v6LC.5.1.10." .. row.part,
		title = string.format("Error Condition With Multicast Destination - Part %s: %s", row.part, row.error),
		role = "host",
		requires = no_error_clauses(row.control),
		timeout = 180,
		run = function(t)
			local address = setup.one_router(t)
			row.step(t, t.tn1.link_local, "ff02::1", address, "there must be no error about a packet to a multicast address")
		end,
	}
end

for _, source in ipairs{
	{ group = "v6LC.5.1.11.", kind = "Unspecified", address = function() return "::" end },
	{ group = "v6LC.5.1.12.", kind = "Multicast", address = function(t) return solicited_node(t.tn1.link_local) end },
} do
	for _, row in ipairs{
		{ part = "A", error = "UDP Port Unreachable", step = no_port_error, control = PORT },
		{ part = "C", error = "Echo Request Reassembly Timeout", step = no_timeout_error, control = reassembly.REPORT },
		{ part = "D", error = "Echo Request with Unknown Option in Destination Options", step = no_option_error,
			control = options.ACTION },
	} do
		test {
			id = source.group .. row.part,
			title = string.format("Error Condition With Non-Unique Source - %s - Part %s: %s (Routers and Hosts)",
				source.kind, row.part, row.error),
			role = "host",
			requires = no_error_clauses(row.control),
			timeout = 180,
			run = function(t)
				local address = setup.one_router(t)
				row.step(t, source.address(t), address, address,
					"there must be no error about a packet whose source is not one node")
			end,
		}
	end
end

-- What tests begin with: the common set-ups of the Core Protocols list.
local setup = {}

-- Prefix X, the global prefix of Link B.
setup.PREFIX = "2001:db8:0:b::"
setup.PREFIX_X = setup.PREFIX .. "/64"

-- Duplicate address detection is done on every unicast address, so forming one is seen by it.
setup.ADDRESS = "RFC 4862 5.4 MUST"
local REPLY = "RFC 4443 4.2 MUST"

-- The random delay before a node tries an address that came from a multicast advertisement is a
-- second at most (RFC 4862 5.4.2), and some host's slack.
local FIRST_TRY = 5

-- A host under load may end duplicate address detection late: `node` asks the address until it answers.
local function wait_until_assigned(t, address, node)
	for attempt = 1, 3 do
		node:send(ip6{ src = node.link_local, dst = address }
			/ echo_request{ identifier = 0x1101, sequence = attempt })
		if t:expect(ip6{ src = address, dst = node.link_local } / echo_reply{ identifier = 0x1101 },
			{ to = node, within = 1, clause = REPLY, level = attempt < 3 and "MAY" or "MUST",
				why = "set-up: the global address must answer" }) then
			return
		end
	end
end

-- After an advertisement of the prefix ("2001:db8:0:b::/64"): the NUT tries an address of it, and has it when
-- duplicate address detection is over, which takes `retrans` seconds (RetransTimer). `node` asks it then.
-- Returns the address.
function setup.wait_for_address(t, prefix_text, retrans, node)
	t:expect(ip6{ src = "::" } / ns{ target = prefix(prefix_text) },
		{ within = FIRST_TRY, clause = setup.ADDRESS, why = "the NUT must form an address of prefix " .. prefix_text })
	t:wait(retrans + 0.5) -- RetransTimer, and slack
	local address = t.nut:address_in(prefix_text)
	wait_until_assigned(t, address, node)
	return address
end

-- Set-up 1.1: TR1 advertises itself and prefix X; the NUT takes an address of it and knows TR1.
-- `timers` are in milliseconds, as in the advertisement. Returns the NUT's global address.
function setup.one_router(t, timers)
	timers = timers or {}
	local retrans = (timers.retrans_timer or 1000) / 1000

	t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / ra{
		router_lifetime = 1800,
		reachable_time = timers.reachable_time or 30000,
		retrans_timer = timers.retrans_timer or 1000,
		nd_prefix{ prefix = setup.PREFIX, valid_lifetime = 3600, preferred_lifetime = 3600 },
	})
	if not timers.again then
		t:expect(ip6{ src = "::" } / ns{ target = prefix(setup.PREFIX_X) },
			{ within = FIRST_TRY, clause = setup.ADDRESS, why = "the NUT must form an address of prefix X" })
		t:wait(retrans + 0.5) -- the end of duplicate address detection: RetransTimer, and slack
	end
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = t.nut.link_local }
		/ echo_request{ identifier = 0x1100, sequence = 1 })
	t:expect(ip6{ src = t.nut.link_local, dst = t.tr1.link_local }
		/ echo_reply{ identifier = 0x1100, sequence = 1 },
		{ to = t.tr1, within = 3 * retrans + 1, clause = REPLY, why = "set-up: TR1 must get its Echo Reply" })
	local address = t.nut:address_in(setup.PREFIX_X)
	if not timers.again then
		wait_until_assigned(t, address, t.tr1)
	end
	return address
end

-- TR1 advertises one more prefix of 64 bits. Returns the NUT's address of it.
function setup.another_prefix(t, other)
	t.tr1:send(ip6{ src = t.tr1.link_local, dst = "ff02::1" } / ra{
		router_lifetime = 1800,
		nd_prefix{ prefix = other, valid_lifetime = 3600, preferred_lifetime = 3600 },
	})
	return setup.wait_for_address(t, other .. "/64", 1, t.tr1)
end

return setup

-- Section 3 of the Core Protocols list: address autoconfiguration, RFC 4862.

local LINK_LOCAL = prefix("fe80::/64")

-- The Neighbor Solicitation of duplicate address detection: RFC 4862 5.4.2. A nonce (RFC 7527) is fine.
local function detection(target)
	return ip6{ src = "::", dst = any(), hop_limit = 255 } / ns{ code = 0, target = target }
end

-- DupAddrDetectTransmits is 1, RetransTimer is 1 s (RFC 4862 5.1); the timers of hosts are coarse.
local PERIOD = 1
local SLACK = 1.5

-- How long a link-local address may take to be tried after the interface came up: a random delay
-- of a second (MAX_RTR_SOLICITATION_DELAY), and the host's own start.
local FIRST_TRY = 10

test {
	id = "v6LC.3.1.1",
	title = "Address Autoconfiguration and Duplicate Address Detection",
	role = "host",
	requires = {
		"RFC 4862 5.4 MUST", "RFC 4862 5.4.2 MUST", "RFC 4861 4.3 MUST NOT", "RFC 4861 7.2.4 MUST",
	},
	boots = true,
	timeout = 60,
	run = function(t)
		t.nut:reboot()
		local tried, at = t:expect(detection(LINK_LOCAL),
			{ from = t.nut, within = FIRST_TRY, clause = "RFC 4862 5.4 MUST" })
		local address = tried.ns.target
		t:check(not tried.ns.nd_slla, "its source is ::, so it has no source link-layer address",
			{ clause = "RFC 4861 4.3 MUST NOT" })
		t:check(tried.ip6.dst == solicited_node(address), "it goes to the solicited-node group of the address",
			{ clause = "RFC 4862 5.4.2 MUST" })

		-- The boot may have taken longer than all of it: look at the times of what came.
		t:wait(math.max(0, at + PERIOD + SLACK - t:now()))
		local used, when = t:expect(ip6{ src = address }, { within = 0, clause = "RFC 4862 5.4 MUST", level = "MAY",
			why = "a host may say something from its new address (a Router Solicitation)" })
		if used then
			t:check(when - at >= 0.95 * PERIOD,
				string.format("the address is first used %.3f s after it was tried, RetransTimer is 1 s", when - at),
				{ clause = "RFC 4862 5.4 MUST" })
		end
		t:expect_none(detection(address),
			{ during = 0, clause = "RFC 4862 5.4 MUST", why = "DupAddrDetectTransmits is 1" })

		-- Another node tries the same address: the NUT has it now and defends it.
		t.tn1:send(ip6{ src = "::", dst = solicited_node(address), hop_limit = 255 } / ns{ target = address })
		t:expect(ip6{ dst = "ff02::1", hop_limit = 255 }
			/ na{ code = 0, solicited = 0, router = 0, target = address, nd_tlla{ mac = t.nut.mac } },
			{ within = 2, clause = "RFC 4861 7.2.4 MUST", why = "the NUT must defend its address" })
	end,
}

test {
	id = "v6LC.3.1.2.B",
	title = "Receiving DAD Neighbor Solicitations and Advertisements - Part B: NUT receives DAD NS (target == NUT)",
	role = "host",
	requires = {
		"RFC 4862 5.4.5 MUST", "RFC 4862 5.4.5 SHOULD", "RFC 4862 5.4.3 MUST NOT", "RFC 4862 5.4 MUST",
	},
	timeout = 60,
	run = function(t)
		t:command{ "ip", "link", "set", "dev", "eth0", "down" }
		t:command{ "ip", "link", "set", "dev", "eth0", "up" }
		local tried, at = t:expect(detection(LINK_LOCAL),
			{ from = t.nut, within = FIRST_TRY, clause = "RFC 4862 5.4 MUST" })
		local address = tried.ns.target

		-- At the same time TN1 tries it: a duplicate. The NUT must not answer, and not take it.
		t.tn1:send(ip6{ src = "::", dst = solicited_node(address), hop_limit = 255 } / ns{ target = address })
		t:expect_none(na{ target = address }, { during = math.max(0, at + PERIOD + SLACK - t:now()),
			clause = "RFC 4862 5.4.3 MUST NOT", why = "no answer while the address is tentative" })

		-- Nobody has the address: neither solicitation is answered.
		local ask = ns{ target = address, nd_slla{ mac = t.tn1.mac } }
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = solicited_node(address), hop_limit = 255 } / ask)
		t.tn1:send(ip6{ src = t.tn1.link_local, dst = address, hop_limit = 255 } / ask)
		t:expect_none(na{ target = address },
			{ during = 3, clause = "RFC 4862 5.4.5 MUST", why = "a duplicate must not be assigned" })
		t:expect_none(ip6{ src = address },
			{ during = 0, clause = "RFC 4862 5.4.5 MUST", why = "a duplicate must not be a source" })
		-- Its identifier comes from the hardware address, so IP should be off altogether.
		t:expect_none(rs{}, { during = 5, clause = "RFC 4862 5.4.5 SHOULD",
			why = "after a duplicate link-local address IP should be disabled on the interface" })
	end,
}

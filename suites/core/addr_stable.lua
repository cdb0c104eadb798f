-- Section 3 of the Core Protocols list: stable and opaque interface identifiers, RFC 7217, which RFC 8064 wants to be
-- the default. The published text has no procedure for them; these follow from the RFCs.
--
-- Linux makes them with a secret of the interface, which a system's start-up scripts write before the interface
-- comes up. Here the test's environment does, and the interface comes up again.
local autoconf = use "autoconf"
local dad = use "dad"
local setup = use "setup"

local SECRET = { ["net.ipv6.conf.eth0.stable_secret"] = "2001:db8:5ec2:e700:1:2:3:4" }

local X, Y = setup.PREFIX, "2001:db8:0:c::"

-- F() depends on the prefix and on no hardware address; the secret and the interface never change.
local OPAQUE = "RFC 8064 3 SHOULD NOT"
local STABLE = "RFC 7217 5 MUST"
-- After a conflict: a new address, at least three in all, not for ever, and none by another algorithm.
local NEXT = "RFC 7217 6 SHOULD"
local LIMITED = "RFC 7217 6 MUST"
local NO_OTHER = "RFC 7217 6 MUST NOT"

-- RFC 7217 section 7: how many addresses are tried, and the longest random delay before the next one (seconds).
local IDGEN_RETRIES, IDGEN_DELAY = 3, 1

-- More tries than any host has reason for; the RFC does not say how many are limited.
local MANY = 30

-- The last 64 bits of an address.
local function identifier(address)
	return ip6{ src = "::", dst = address }:bytes():sub(-8)
end

local function check_opaque(t, address, prefix_text)
	t:check(address ~= eui64(prefix_text, t.nut.mac),
		address .. " should not have the hardware address in it", { clause = OPAQUE })
end

-- The NUT's link-local address and its address of prefix X after the interface came up, both in use.
local function start(t)
	local link_local = dad.start(t)
	dad.expect_assigned(t, link_local)
	local addresses = autoconf.addresses(t)
	addresses:advertise(t.tr1, nd_prefix{ prefix = X })
	addresses:expect_formed(X)
	return link_local.address, addresses
end

test {
	id = "v6LC.3.2.6.A",
	title = "Stable addresses (Host Only) - Part A: Link-Local vs. Global",
	role = "host",
	requires = { STABLE, OPAQUE, dad.TRIED, dad.ANSWER, autoconf.PROCESSING, "RFC 4443 4.2 MUST" },
	environment = SECRET,
	run = function(t)
		local link_local, addresses = start(t)
		addresses:advertise(t.tr1, nd_prefix{ prefix = Y })
		addresses:expect_formed(Y)
		local global, other = addresses:address(X), addresses:address(Y)

		check_opaque(t, link_local, "fe80::")
		check_opaque(t, global, X)
		check_opaque(t, other, Y)
		if link_local == eui64("fe80::", t.nut.mac) then
			return -- of the hardware address, so one for all; it has been said that it should not be
		end
		for _, pair in ipairs{ { link_local, global }, { link_local, other }, { global, other } } do
			t:check(identifier(pair[1]) ~= identifier(pair[2]),
				string.format("%s and %s have different identifiers: the prefix is one of the parameters",
					pair[1], pair[2]),
				{ clause = STABLE })
		end
	end,
}

test {
	id = "v6LC.3.2.6.B",
	title = "Stable addresses (Host Only) - Part B: Reboot",
	role = "host",
	requires = { STABLE, OPAQUE, dad.TRIED, dad.ANSWER, autoconf.PROCESSING, "RFC 4443 4.2 MUST" },
	environment = SECRET,
	boots = true,
	timeout = 90,
	run = function(t)
		local link_local, addresses = start(t)
		check_opaque(t, link_local, "fe80::")

		-- The environment is set again, as the start-up scripts of an installed system would.
		t.nut:reboot()
		local again, addresses_again = start(t)
		t:check(again == link_local,
			string.format("the link-local address is %s after the boot, it was %s before", again, link_local),
			{ clause = STABLE })
		t:check(addresses_again:address(X) == addresses:address(X),
			string.format("the address of prefix X is %s after the boot, it was %s before",
				addresses_again:address(X), addresses:address(X)),
			{ clause = STABLE })
	end,
}

-- The NUT tries the address of `trial`, and TN1 tries it too. Then it should try another one of the same
-- prefix, after IDGEN_DELAY at most and the delay of any first solicitation. Returns that trial, or nothing.
local function collide(t, trial, prefix_text, level)
	t.tn1:send(dad.foreign(trial.address))
	return dad.expect_tried(t, prefix(prefix_text .. "/64"), IDGEN_DELAY + dad.FORM, { clause = NEXT, level = level,
		why = "after a conflict another address should be tried" })
end

-- After one conflict the NUT has another address, and not the first one.
local function resolve_one(t, first, prefix_text)
	if first.address == eui64(prefix_text, t.nut.mac) then
		t:skip("the identifier is that of the hardware address, so that RFC 7217 does not apply")
	end
	local second = collide(t, first, prefix_text)
	if second then
		t:check(second.address ~= first.address,
			string.format("%s is tried after a conflict about %s: it should be another address",
				second.address, first.address),
			{ clause = NEXT })
		t:check(second.address ~= eui64(prefix_text, t.nut.mac), "no other algorithm makes the next address",
			{ clause = NO_OTHER })
		dad.expect_assigned(t, second, dad.ANSWER, "nobody else tries the second address: the NUT must take it")
	end
	dad.expect_not_assigned(t, first)
end

-- A conflict with each address that is tried: three at least, in the end no more, and never another algorithm.
local function resolve_none(t, trial, prefix_text)
	local count, tried = 0, {}
	while trial do
		count = count + 1
		t:check(count <= MANY, string.format("%d addresses have been tried, their number must be limited", count),
			{ clause = LIMITED })
		t:check(not tried[trial.address], trial.address .. " has not been tried before", { clause = NEXT })
		t:check(trial.address ~= eui64(prefix_text, t.nut.mac), "no other algorithm makes the next address",
			{ clause = NO_OTHER })
		tried[trial.address] = true
		trial = collide(t, trial, prefix_text, "MAY")
	end
	t:note(string.format("%d addresses were tried", count))
	t:check(count >= IDGEN_RETRIES, string.format("%d addresses are tried, at least %d should be", count, IDGEN_RETRIES),
		{ clause = NEXT })
	for address in pairs(tried) do
		t:expect_none(ip6{ src = address }, { during = 0, clause = dad.DUPLICATE,
			why = "none of the duplicates must be used" })
	end
end

local RESOLVING = { NEXT, LIMITED, NO_OTHER, dad.DUPLICATE, dad.TRIED, dad.ANSWER }

test {
	id = "v6LC.3.2.7.A",
	title = "Resolving DAD Conflicts (Host Only) - Part A: Link-Local",
	role = "host",
	requires = RESOLVING,
	environment = SECRET,
	timeout = 300,
	run = function(t)
		resolve_one(t, dad.start(t), "fe80::")
		resolve_none(t, dad.start(t), "fe80::")
	end,
}

test {
	id = "v6LC.3.2.7.B",
	title = "Resolving DAD Conflicts (Host Only) - Part B: Global",
	role = "host",
	requires = { autoconf.PROCESSING, table.unpack(RESOLVING) },
	environment = SECRET,
	timeout = 300,
	run = function(t)
		dad.expect_assigned(t, dad.start(t))

		local function try(prefix_text)
			autoconf.addresses(t):advertise(t.tr1, nd_prefix{ prefix = prefix_text })
			return dad.expect_tried(t, prefix(prefix_text .. "/64"), dad.FORM, { clause = autoconf.PROCESSING,
				why = string.format("the NUT must form an address of the prefix %s/64", prefix_text) })
		end
		resolve_one(t, try(X), X)
		resolve_none(t, try(Y), Y)
	end,
}

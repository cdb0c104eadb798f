-- Section 3 of the Core Protocols list: how long a host has its addresses, RFC 4862 sections 5.5.3 e and 5.5.4.
-- The lifetimes are waited out, those of hours too; each address is asked for at the last moment at which the NUT
-- must have it, and when it must not have it any more.
local autoconf = use "autoconf"
local dad = use "dad"
local setup = use "setup"

local X, Y = setup.PREFIX, "2001:db8:0:c::"
local HOUR = 3600

local LIFETIMES = { autoconf.PROCESSING, dad.ANSWER, autoconf.DEPRECATED, autoconf.INVALID, "RFC 4443 4.2 MUST" }

-- A Prefix Information option, lifetimes in seconds.
local function option(prefix_text, valid, preferred)
	return nd_prefix{ prefix = prefix_text, valid_lifetime = valid, preferred_lifetime = preferred }
end

test {
	id = "v6LC.3.2.2",
	title = "Address Lifetime Expiry (Hosts Only)",
	role = "host",
	requires = LIFETIMES,
	timeout = 90,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(X, 40, 20))
		addresses:expect_formed(X)

		addresses:wait_until_over(X, "preferred")
		addresses:expect_valid(X)
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X)
		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X)

		-- The address is not on the list any more, so the prefix makes one as it did at first.
		addresses:advertise(t.tr1, option(X, 40, 20))
		addresses:expect_formed(X)
	end,
}

test {
	id = "v6LC.3.2.3",
	title = "Multiple Prefixes and Network Renumbering (Hosts only)",
	role = "host",
	requires = {
		autoconf.PROCESSING, dad.ANSWER, autoconf.DEPRECATED, autoconf.INVALID, autoconf.NEW_COMMUNICATION,
		"RFC 4443 4.2 MUST",
	},
	timeout = 90,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(X, 20, 10))
		addresses:expect_formed(X)

		-- The new prefix; the old one is not advertised any more. (The list reads as if the new one were
		-- advertised again and again, and then has its address end as if it were not.)
		addresses:advertise(t.tr1, option(Y, 30, 30))
		addresses:expect_formed(Y)
		addresses:expect_valid(X)

		-- The old address is deprecated. By the longest prefix it would be the source to TN2, whose prefix has
		-- 63 bits in common with it and 61 with the new one (RFC 6724 5, rule 8, which comes after rule 3).
		addresses:wait_until_over(X, "preferred")
		addresses:expect_source(Y, "the address of the old prefix is deprecated, another one serves")
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X)

		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X)
		addresses:expect_valid(Y)
		addresses:wait_until_over(Y, "valid")
		addresses:expect_invalid(Y)
	end,
}

test {
	id = "v6LC.3.2.5.A",
	title = "Prefix-Information Option Processing, Lifetime(Host Only) - Part A: "
		.. "Prefix Lifetime greater than Stored Lifetime",
	role = "host",
	requires = LIFETIMES,
	timeout = 120,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(X, 30, 20))
		addresses:expect_formed(X)
		addresses:advertise(t.tr1, option(X, 60, 20))
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X, "a valid lifetime greater than the remaining one must be taken over",
			autoconf.PROCESSING)
		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X)
	end,
}

test {
	id = "v6LC.3.2.5.B",
	title = "Prefix-Information Option Processing, Lifetime(Host Only) - Part B: "
		.. "Prefix Lifetime greater than 2 hours",
	role = "host",
	requires = LIFETIMES,
	timeout = 4 * HOUR,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(X, 3 * HOUR, 20))
		addresses:expect_formed(X)
		addresses:advertise(t.tr1, option(X, 2 * HOUR + 30, 20))
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X)
		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X, "a valid lifetime greater than two hours must be taken over, though it is shorter",
			autoconf.PROCESSING)
	end,
}

test {
	id = "v6LC.3.2.5.C",
	title = "Prefix-Information Option Processing, Lifetime(Host Only) - Part C: Prefix Lifetime "
		.. "less than the Stored Lifetime and the Stored Lifetime is less than 2 hours",
	role = "host",
	requires = {
		autoconf.PROCESSING, dad.ANSWER, autoconf.DEPRECATED, autoconf.INVALID, autoconf.NEW_COMMUNICATION,
		"RFC 4443 4.2 MUST",
	},
	timeout = 120,
	run = function(t)
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(X, 60, 60), option(Y, HOUR, HOUR))
		addresses:expect_formed(X, Y)

		-- The preferred lifetime is taken over, the valid one is not: such an advertisement may be forged, but
		-- it may also be an administrator's.
		addresses:advertise(t.tr1, option(X, 30, 0))
		t:wait(1)
		addresses:expect_source(Y, "the preferred lifetime of 0 must be taken over, and another address serves")
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X, "a shorter valid lifetime must be ignored when less than two hours are left",
			autoconf.PROCESSING)
		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X)
	end,
}

test {
	id = "v6LC.3.2.5.D",
	title = "Prefix-Information Option Processing, Lifetime(Host Only) - Part D: Prefix Lifetime "
		.. "less than 2 hours and the Stored Lifetime is greater than 2 hours",
	role = "host",
	requires = LIFETIMES,
	timeout = 4 * HOUR,
	run = function(t)
		-- The list stores 7230 s, of which 7200 s can hardly be told. Of three hours they can.
		local addresses = autoconf.addresses(t)
		addresses:advertise(t.tr1, option(X, 3 * HOUR, 20))
		addresses:expect_formed(X)
		addresses:advertise(t.tr1, option(X, 10, 10))
		addresses:wait_until_over(X, "preferred")
		addresses:expect_valid(X, "a valid lifetime of 10 s must not be taken over", autoconf.PROCESSING)
		addresses:wait_until_last_moment(X, "valid")
		addresses:expect_valid(X, "a valid lifetime must not be shortened to less than two hours", autoconf.PROCESSING)
		addresses:wait_until_over(X, "valid")
		addresses:expect_invalid(X, "a valid lifetime of more than two hours must be shortened to two hours",
			autoconf.PROCESSING)
	end,
}

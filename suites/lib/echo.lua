-- Echo Requests and the replies that must come back: RFC 4443 sections 4.1 and 4.2.
local echo = {}

-- A node must answer Echo Requests, with the same identifier, sequence number and data.
echo.REPLY = "RFC 4443 4.2 MUST"

-- How long an answer may take. No RFC says: a neighbour that is not resolved yet costs three
-- solicitations of RetransTimer (1 s) each, and a second is for the host.
echo.WINDOW = 4

-- How long nothing must come. The peer is resolved before, so an answer would not need long.
echo.SILENCE = 3

-- `size` octets that differ from their neighbours, so that a wrong order shows.
function echo.data(size)
	local octets = {}
	for i = 1, size do
		octets[i] = string.char(i % 251)
	end
	return table.concat(octets)
end

-- The Echo Request number `number` (identifier and sequence number), with `size` octets of data.
function echo.request(number, size)
	return echo_request{ identifier = number, sequence = number, data = echo.data(size or 8) }
end

-- Its reply, to be expected. The ICMPv6 header directly follows the IPv6 header: a whole packet
-- needs no Fragment header (RFC 8504 5.1). Every Hop Limit but 0 is right.
function echo.reply(number, size, addresses)
	addresses = addresses or {}
	return ip6{ src = addresses.src, dst = addresses.dst, next_header = 58, hop_limit = range(1, 255) }
		/ echo_reply{ code = 0, identifier = number, sequence = number, data = echo.data(size or 8) }
end

-- A plain Echo Request from `node` that must be answered. Before silence is expected it shows
-- that the NUT is there and knows the node's link-layer address, and afterwards that it still is.
-- (A node need keep only one packet for a neighbour that it has to resolve first, RFC 4861 7.2.2:
-- of two answers one would be lost.) The addresses are the link-local ones, or those given.
function echo.control(t, node, number, from, to)
	from, to = from or node.link_local, to or t.nut.link_local
	node:send(ip6{ src = from, dst = to } / echo.request(number))
	return t:expect(echo.reply(number, 8, { src = to, dst = from }),
		{ to = node, within = echo.WINDOW, clause = echo.REPLY, why = "plain Echo Request must be answered" })
end

-- Any Echo Reply with that number, whatever else is in it: for what must not come.
function echo.any_reply(number)
	return echo_reply{ identifier = number }
end

return echo

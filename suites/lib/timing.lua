-- When a node's timer may go off. The RFCs say how long a timer runs and, where it is random, from
-- when to when; none says by how much it may be late. A node's timers are coarse (a wheel that rounds
-- a time up by an eighth at most is common), and the node has to run. They are never early.
local timing = {}

-- What the times of two frames may be wrong by: the capture, and a host's tick.
local ERROR = 0.05
-- What a node needs to do what is due.
local SLACK = 0.2

-- RFC 4861 section 10 and RFC 4862 section 5.1, seconds.
timing.RETRANS = 1
timing.REACHABLE = 30
timing.MIN_RANDOM_FACTOR = 0.5
timing.MAX_RANDOM_FACTOR = 1.5
timing.DELAY_FIRST_PROBE = 5
timing.SOLICITATIONS = 3 -- MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT

-- Router Solicitations: RFC 7559 section 2 with the algorithm of RFC 3315 section 14 (now RFC 9915 section 15).
timing.RTR_SOLICITATION = 4 -- IRT; also RTR_SOLICITATION_INTERVAL of RFC 4861
timing.RTR_SOLICITATION_MAX = 3600 -- MRT
timing.RTR_SOLICITATIONS = 3 -- MAX_RTR_SOLICITATIONS, which RFC 7559 lifts
local RAND = 0.1

-- The shortest and the longest time that the algorithm may wait after the Router Solicitation number `count`:
-- 4 s at first and twice the time before from then on, each with a random tenth of it less or more.
function timing.solicitation_distance(count)
	local short, long = (1 - RAND) * timing.RTR_SOLICITATION, (1 + RAND) * timing.RTR_SOLICITATION
	for _ = 2, count do
		short, long = (2 - RAND) * short, (2 + RAND) * long
	end
	return short, math.min(long, (1 + RAND) * timing.RTR_SOLICITATION_MAX)
end

-- The first moment at which a timer of so many seconds may be seen to have gone off ...
function timing.earliest(seconds)
	return seconds - ERROR
end

-- ... and the last.
function timing.latest(seconds)
	return seconds * 9 / 8 + SLACK
end

-- Let time pass until `moment`, as t:now() counts, and a microsecond more: a moment that was computed may be a
-- little more than it should be, and must have come when the test goes on.
function timing.wait_until(t, moment)
	t:wait(math.max(0, moment - t:now()) + 1e-6)
end

return timing

/*
 * Faults of the simulated node: X(name, text, what it does wrong). No include
 * guard: included with different X.
 */

/* the whole node */
X(MUTE, "mute", "answers nothing at all")
X(PANIC, "panic", "panics when No Next Header arrives")
X(HANG, "hang", "stops answering its agent when No Next Header arrives")

/* echo: RFC 4443 section 4 */
X(ECHO_IDENTIFIER, "echo-identifier", "Echo Reply with another identifier")
X(ECHO_SEQUENCE, "echo-sequence", "Echo Reply with another sequence number")
X(ECHO_DATA, "echo-data", "Echo Reply whose last octet of data differs")
X(ECHO_SHORT, "echo-short", "Echo Reply without the last octet of data")
X(ECHO_SOURCE, "echo-source", "Echo Reply from another address than the one asked")
X(ECHO_CHECKSUM, "echo-checksum", "Echo Reply with a wrong checksum")
X(ECHO_LABEL, "echo-label", "a new flow label for every Echo Reply")
X(ECHO_HOP_LIMIT, "echo-hop-limit", "Echo Reply with the Hop Limit of the request")
X(ECHO_MULTICAST_SOURCE, "echo-multicast-source", "replies from the group that was asked")
X(PING_SILENT, "ping-silent", "sends no Echo Requests")
X(PING_CODE, "ping-code", "Echo Request with code 1")

/* the IPv6 header and its chain: RFC 8200 sections 3 and 4 */
X(HOP_LIMIT_ZERO, "hop-limit-zero", "discards what arrives with Hop Limit 0")
X(VERSION, "version", "hears nothing more after a packet of another version")
X(UNSPECIFIED, "unspecified", "answers what comes for ::")
X(LOOPBACK, "loopback", "answers what comes from the link for ::1")
X(NO_NEXT_HEADER, "no-next-header", "reads on behind No Next Header")
X(NEXT_HEADER, "next-header", "discards silently what it does not know")
X(NEXT_HEADER_REPLY, "next-header-reply", "takes what it does not know for ICMPv6")
X(HBH_SKIP, "hop-by-hop-skip", "skips Hop-by-Hop Options, as RFC 9673 allows")
X(SECOND_HBH, "second-hop-by-hop", "accepts a second Hop-by-Hop Options header")
X(OPTION_01, "option-01", "skips an unknown option that says to discard")
X(OPTION_01_REPORT, "option-01-report", "reports an option that says to discard")
X(OPTION_10, "option-10", "discards silently where the option says to report")
X(OPTION_10_GROUP, "option-10-group", "does not report such an option sent to a group")
X(OPTION_11_GROUP, "option-11-group", "reports to a group what only unicast may be told")
X(OPTION_00, "option-00", "discards where the option says to skip it")
X(OPTION_ALL, "option-all", "goes on to the next option after one that ends it")
X(OPTION_ORDER, "option-order", "looks for the last unknown option first")
X(PAD1, "pad1", "discards a header with Pad1 in it")
X(PADN, "padn", "discards a header with PadN in it")
X(ROUTING_ERROR, "routing-error", "reports a Routing header with no segments left")
X(ROUTING_IGNORED, "routing-ignored", "ignores a Routing header with segments left")
X(ROUTING_FORWARD, "routing-forward", "sends such a packet on, and reports it")

/* errors: RFC 4443 sections 2.4 and 3 */
X(POINTER, "pointer", "Parameter Problem that points one octet too far")
X(PROBLEM_CODE, "problem-code", "Parameter Problem with the next code")
X(PROBLEM_QUOTE, "problem-quote", "ICMPv6 error that quotes 8 octets less")
X(PROBLEM_SOURCE, "problem-source", "ICMPv6 error from another address than the one asked")
X(PROBLEM_AND_REPLY, "problem-and-reply", "Parameter Problem, and processes the packet too")
X(PORT_SILENT, "port-silent", "no error for a closed port")
X(PORT_CODE, "port-code", "address unreachable for a closed port")
X(INFORMATION, "information", "reports an informational message of unknown type")
X(ERROR_GROUP, "error-group", "reports any packet that went to a group")
X(ERROR_SOURCE, "error-source", "reports packets of sources that are not one node")

/* reassembly: RFC 8200 section 4.5 */
X(FRAGMENTS, "fragments", "discards every fragment")
X(FRAGMENT_DATA, "fragment-data", "puts the second fragment 8 octets too early")
X(FRAGMENT_LENGTH, "fragment-length", "keeps a non-last fragment of odd length")
X(FRAGMENT_FIRST, "fragment-first", "looks at a Fragment header before the options in front of it")
X(FRAGMENT_OPTIONS, "fragment-options", "looks at the options in a fragment before the fragment")
X(FRAGMENT_ID, "fragment-id", "puts fragments of different Identification together")
X(FRAGMENT_SOURCE, "fragment-source", "puts fragments from different sources together")
X(FRAGMENT_DESTINATION, "fragment-destination", "puts fragments to different addresses together")
X(FRAGMENT_REVERSE, "fragment-reverse", "drops a fragment that comes before the first one")
X(FRAGMENT_LARGE, "fragment-large", "reassembles no more than 1280 octets")
X(FRAGMENT_CHAIN, "fragment-chain", "takes a first fragment without all headers")
X(REASSEMBLY_EARLY, "reassembly-early", "gives a packet up after 30 s")
X(REASSEMBLY_NEVER, "reassembly-never", "never gives a packet up")
X(REASSEMBLY_SILENT, "reassembly-silent", "does not report that it gave a packet up")
X(REASSEMBLY_ANY, "reassembly-any", "reports it without the first fragment, too")
X(OVERLAP, "overlap", "lets a later fragment overwrite an earlier one")
X(OVERLAP_DROP, "overlap-drop", "drops only the fragment that overlaps")
X(OVERLAP_REPORT, "overlap-report", "reports a fragment that overlaps")
X(DUPLICATE_OVERLAP, "duplicate-overlap",
  "takes an exact duplicate for overlap, as RFC 8200 allows")
X(DUPLICATE_REPORT, "duplicate-report", "reports an exact duplicate")
X(ATOMIC_QUEUE, "atomic-queue", "drops an atomic fragment beside others with its Identification")
X(ATOMIC_QUOTE, "atomic-quote", "quotes a packet without its Fragment header, as RFC 4443 allows")
X(ATOMIC_REPLY, "atomic-reply", "answers an atomic fragment with one")

/* path MTU, and fragments that are sent: RFC 8201, RFC 8200 section 4.5 */
X(PMTU_NONE, "pmtu-none", "never sends more than 1280 octets, as RFC 8201 allows")
X(PMTU_ALL, "pmtu-all", "has one path MTU for all destinations, as RFC 8201 allows")
X(PMTU_IGNORED, "pmtu-ignored", "ignores Packet Too Big messages")
X(PMTU_CODE, "pmtu-code", "ignores those whose code is not 0")
X(PMTU_ON_LINK, "pmtu-on-link", "ignores those about neighbours")
X(PMTU_LOW, "pmtu-low", "takes an MTU below 1280 for 1280")
X(PMTU_ATOMIC, "pmtu-atomic", "sends atomic fragments after such an MTU, as RFC 2460 had it")
X(PMTU_RAISE, "pmtu-raise", "sends more when such a message says so")
X(PMTU_FORGET, "pmtu-forget", "forgets a path MTU after a minute")
X(PMTU_KEPT, "pmtu-kept", "never forgets a path MTU")
X(PMTU_ANY, "pmtu-any", "believes a message about a packet that it did not send")
X(PIECE_LARGE, "piece-large", "fragments that are 8 octets too large")
X(PIECE_OVERLAP, "piece-overlap", "fragments that overlap")
X(PIECE_ID, "piece-id", "the same Identification for all packets")
X(PIECE_WHOLE, "piece-whole", "sends the whole packet after its fragments")

/* which messages of neighbour discovery are taken: RFC 4861 6.1.2, 7.1, 8.1; RFC 6980 */
X(ND_FRAGMENT, "nd-fragment", "takes messages of neighbour discovery with a Fragment header")

/* Neighbor Solicitations that come: RFC 4861 7.1.1, 7.2.3, 7.2.4 */
X(NS_HOP_LIMIT, "ns-hop-limit", "accepts a Neighbor Solicitation with Hop Limit 254")
X(NS_CHECKSUM, "ns-checksum", "takes a Neighbor Solicitation with a wrong checksum")
X(NS_CODE, "ns-code", "takes one whose code is not 0")
X(NS_LENGTH, "ns-length", "takes one that is too short, whatever is behind it")
X(NS_OPTION_LENGTH, "ns-option-length", "takes one with an option of length 0")
X(NS_TARGET, "ns-target", "answers one whose target is a group")
X(NS_DAD_UNICAST, "ns-dad-unicast", "takes one from :: to its own address")
X(NS_DAD_OPTION, "ns-dad-option", "takes one from :: with a link-layer address")
X(NS_NOT_CACHED, "ns-not-cached", "makes no entry from the address in a solicitation")
X(NS_FRAME, "ns-frame", "takes the frame's source where a solicitation has no address")
X(NS_KEEP_MAC, "ns-keep-mac", "keeps the link-layer address that it has")
X(NS_KEEP_STATE, "ns-keep-state", "takes a new link-layer address and keeps the state")
X(NS_STALE, "ns-stale", "every solicitation makes the entry of its sender STALE")
X(NS_CONFIRMS, "ns-confirms", "takes a solicitation for a sign that its sender is reachable")
X(NS_HOST, "ns-host", "takes everyone who solicits it for a host")
X(NA_NO_OPTION, "na-no-option", "answers a multicast solicitation without its link-layer address")
X(NA_UNSOLICITED, "na-unsolicited", "answers with the Solicited flag clear")
X(NA_NO_OVERRIDE, "na-no-override", "answers with the Override flag clear")
X(NA_ROUTER, "na-router", "a host that says it is a router")

/* Neighbor Advertisements that come: RFC 4861 7.1.2, 7.2.5 */
X(NA_HOP_LIMIT, "na-hop-limit", "takes a Neighbor Advertisement whose Hop Limit is not 255")
X(NA_CHECKSUM, "na-checksum", "takes one with a wrong checksum")
X(NA_CODE, "na-code", "takes one whose code is not 0")
X(NA_LENGTH, "na-length", "takes one that is too short, whatever is behind it")
X(NA_OPTION_LENGTH, "na-option-length", "takes one with an option of length 0")

/* address resolution and reachability: RFC 4861 7.2.2, 7.3 */
X(NS_ONCE, "ns-once", "solicits once instead of three times")
X(NS_FAST, "ns-fast", "solicits again after 0.4 of RetransTimer")
X(NS_MANY, "ns-many", "solicits ten times, RetransTimer apart")
X(NS_SOURCE, "ns-source", "solicits from its link-local address whatever waits")
X(NS_NO_OPTION, "ns-no-option", "multicast solicitation without its link-layer address")
X(QUEUE_NONE, "queue-none", "keeps no packet that waits for a link-layer address")
X(QUEUE_ONE, "queue-one", "keeps one, the newest, as RFC 4861 allows")
X(QUEUE_OLDEST, "queue-oldest", "keeps one, the oldest")
X(QUEUE_SHARED, "queue-shared", "keeps those for one neighbour only")
X(NO_PROBE, "no-probe", "never probes a neighbour that it has not confirmed")
X(PROBE_EARLY, "probe-early", "probes as soon as something is sent to it")
X(PROBE_IDLE, "probe-idle", "probes it though nothing is sent to it")
X(PROBE_MULTICAST, "probe-multicast", "probes it by multicast")
X(STALE_UNUSED, "stale-unused", "resolves it again before it sends to it")
X(REACHABLE_KEPT, "reachable-kept", "never doubts a neighbour that answered once")

/* Router Solicitations: RFC 4861 6.3.7, RFC 7559 */

/* Router Advertisements: RFC 4861 6.1.2, 6.3.4 */
X(RA_HOP_LIMIT, "ra-hop-limit", "takes a Router Advertisement whose Hop Limit is not 255")
X(RA_CHECKSUM, "ra-checksum", "takes one with a wrong checksum")
X(RA_CODE, "ra-code", "takes one whose code is not 0")
X(RA_LENGTH, "ra-length", "takes one that is too short, whatever is behind it")
X(RA_OPTION_LENGTH, "ra-option-length", "takes one with an option of length 0")
X(RA_MTU, "ra-mtu", "ignores the MTU option of advertisements")
X(RETRANS_IGNORED, "retrans-ignored", "ignores the Retrans Timer of advertisements")

/* prefixes that are on the link, routers, routes: RFC 4861 5.2, 6.3.6, RFC 5942, RFC 4191 */
X(NO_ROUTER, "no-router", "looks for everybody on the link")
X(LINK_LOCAL_ROUTED, "link-local-routed", "sends to a router what is for a link-local address")
X(PREFIX_IGNORED, "prefix-ignored", "takes no prefix to be on the link")
X(PREFIX_WIDE, "prefix-wide", "takes 48 bits of a prefix to be on the link")
X(PREFIX_KEPT, "prefix-kept", "keeps a prefix when its lifetime is over")
X(PREFIX_FIRST, "prefix-first", "keeps the lifetime that a prefix had first")
X(FLAG_OFF_LINK, "flag-off-link", "takes a prefix off the link when its on-link flag is zero")
X(FLAG_IGNORED, "flag-ignored", "puts a prefix onto the link without its on-link flag")

/* Redirect messages: RFC 4861 8.1, 8.3 */
X(REDIRECT_HOP_LIMIT, "redirect-hop-limit", "takes a Redirect whose Hop Limit is not 255")
X(REDIRECT_CHECKSUM, "redirect-checksum", "takes one with a wrong checksum")
X(REDIRECT_CODE, "redirect-code", "takes one whose code is not 0")
X(REDIRECT_LENGTH, "redirect-length", "takes one that is too short, whatever is behind it")
X(REDIRECT_OPTION_LENGTH, "redirect-option-length", "takes one with an option of length 0")

/* duplicate address detection: RFC 4862 5.4 */
X(NO_DAD, "no-dad", "assigns its address without looking for a duplicate")
X(DAD_HOP_LIMIT, "dad-hop-limit", "duplicate address detection with Hop Limit 64")
X(DAD_OPTION, "dad-option", "duplicate address detection with a source link-layer address")
X(DAD_EARLY, "dad-early", "uses its address before the end of duplicate address detection")
X(DAD_DEAF, "dad-deaf", "does not notice a duplicate")
X(NO_DEFENCE, "no-defence", "does not defend its address")

/* autoconfiguration and lifetimes of addresses: RFC 4862 5.5, RFC 7217 */

/* DNS of advertisements: RFC 8106 */
X(RDNSS, "rdnss", "ignores DNS servers of advertisements")
X(RDNSS_ZERO, "rdnss-zero", "ignores that a DNS server has lifetime 0")
X(RDNSS_KEPT, "rdnss-kept", "never forgets a DNS server")
X(DNSSL, "dnssl", "ignores search domains of advertisements")
X(DNSSL_ZERO, "dnssl-zero", "ignores that a search domain has lifetime 0")
X(DNSSL_KEPT, "dnssl-kept", "never forgets a search domain")

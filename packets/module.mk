packets_sources := \
	packets/address.c \
	packets/build.c \
	packets/bytes.c \
	packets/fragment.c \
	packets/layers.c \
	packets/match.c \
	packets/match_show.c \
	packets/packet.c \
	packets/parse.c \
	packets/pattern.c \
	packets/pcapng.c \
	packets/show.c \
	packets/sound.c
$(call archive,packets,$(packets_sources))
$(call unit_test,test_packet,tests/unit/test_packet.c tests/unit/packet_cases.c,packets base,jansson)
$(call unit_test,test_packet_pieces,tests/unit/test_packet_pieces.c tests/unit/packet_cases.c,packets base,jansson)
$(call unit_test,test_match,tests/unit/test_match.c,packets base,jansson)
$(call unit_test,test_pcapng,tests/unit/test_pcapng.c tests/unit/lab_cmocka.c,packets base,jansson)

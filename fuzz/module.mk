# Fuzz targets: one for each parser of outside bytes. Seeds are in fuzz/corpus/<target>/.
$(call fuzzer,fuzz_report,base,jansson)
$(call fuzzer,fuzz_version,base,jansson)
$(call fuzzer,fuzz_zst,base,libzstd)
$(call fuzzer,fuzz_http,web base,jansson)
$(call fuzzer,fuzz_packet_parse,packets base,jansson)
$(call fuzzer,fuzz_match,packets base,jansson)

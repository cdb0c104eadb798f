# Unit tests of base/; the other folders list theirs in their own module.mk,
# with $(unit_common) among the sources when they need a scratch folder.
unit_common := tests/unit/lab_cmocka.c

$(call unit_test,test_base,tests/unit/test_base.c $(unit_common),base,jansson libcrypto libzstd)
$(call unit_test,test_fs,tests/unit/test_fs.c $(unit_common),base,jansson)
$(call unit_test,test_json,tests/unit/test_json.c $(unit_common),base,jansson)
$(call unit_test,test_proc,tests/unit/test_proc.c $(unit_common),base,jansson)
$(call unit_test,test_version,tests/unit/test_version.c $(unit_common),base,jansson)

# A database with plausible and hostile content, and a web server over it.
$(call test_program,sample_lab,tests/sample_lab.c,web db base,jansson sqlite3 libmicrohttpd libzstd libcrypto)

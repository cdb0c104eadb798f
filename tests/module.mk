# Unit tests of base/; the other folders list theirs in their own module.mk,
# with $(unit_common) among the sources when they need a scratch folder.
unit_common := tests/unit/lab_cmocka.c

$(call unit_test,test_base,tests/unit/test_base.c $(unit_common),base,jansson libcrypto libzstd)
$(call unit_test,test_fs,tests/unit/test_fs.c $(unit_common),base,jansson)
$(call unit_test,test_json,tests/unit/test_json.c $(unit_common),base,jansson)
$(call unit_test,test_proc,tests/unit/test_proc.c $(unit_common),base,jansson)
$(call unit_test,test_version,tests/unit/test_version.c $(unit_common),base,jansson)

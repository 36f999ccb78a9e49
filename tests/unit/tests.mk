# The unit tests: name, programs whose objects (but main) it links, layers, packages.
$(eval $(call unit_test,test-base,,base,jansson popt libcrypto))
$(eval $(call unit_test,test-tensor,,libtorch base,jansson popt libcrypto))
$(eval $(call unit_test,test-tensor-2-11,,libtorch base,jansson popt libcrypto))
$(eval $(call unit_test,test-decode-audio,decode-audio,nn libtorch formats base,jansson popt libcrypto))
$(eval $(call unit_test,test-verify-signal,verify,formats base,$(BASE) $(AUDIO)))
$(eval $(call unit_test,test-verify-checks,verify,formats base,$(BASE) $(AUDIO)))

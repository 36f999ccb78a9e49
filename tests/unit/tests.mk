# The unit tests: name, programs whose objects (but main) it links, layers, packages.

# SPDX-License-Identifier: Apache-2.0
# Leitmotif in a container: docker build -t leitmotif .            for a CPU
#                           docker build -t leitmotif:cuda --build-arg TORCH=cuda .
#   TORCH=cpu|cuda     which libtorch                     BASE=IMAGE   Debian 12 or Ubuntu 24.04
#   QUICK_TESTS=yes|no no: builds without running them     Versions are pinned in docker/versions.env.
ARG BASE=debian:bookworm-slim

# What is installed comes before the sources: when only those change, nothing is installed again.
FROM ${BASE} AS dependencies
WORKDIR /leitmotif
COPY docker/install-dependencies.sh docker/versions.env docker/
RUN TORCH=none docker/install-dependencies.sh
COPY docker/collect-libraries docker/
ARG TORCH=cpu
RUN TORCH=$TORCH LIBTORCH_FOLDER=/installed/libtorch docker/install-dependencies.sh \
    && docker/collect-libraries libtorch "$(cat libtorch.path)" /opt/leitmotif/libtorch "$TORCH" \
    && echo /opt/leitmotif/libtorch >/opt/leitmotif/libtorch.path \
    && rm -r /installed libtorch.path

# The quick tests run with the very libraries that the image gets.
FROM dependencies AS build
COPY . .
RUN make -j"$(nproc)" \
    && install -D -s -t /opt/leitmotif/bin build/bin/* \
    && docker/collect-libraries programs /opt/leitmotif build/bin/*
ARG QUICK_TESTS=yes
RUN if [ "$QUICK_TESTS" = yes ]; then INSTALL=no SANITIZERS=no ./run_tests.sh quick; fi
RUN cp -r pipelines model-cache docker/entrypoint /opt/leitmotif/ \
    && chmod -R u=rwX,go=rX /opt/leitmotif

FROM ${BASE}
LABEL org.opencontainers.image.title="Leitmotif" \
    org.opencontainers.image.description="Whole soundtracks from one YAML file, by MusicGen models" \
    org.opencontainers.image.licenses="Apache-2.0"
COPY --from=dependencies /opt/leitmotif /opt/leitmotif
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /opt/leitmotif/lib /opt/leitmotif/lib
COPY --from=build /opt/leitmotif/licences /opt/leitmotif/licences
COPY --from=build /opt/leitmotif/model-cache /opt/leitmotif/model-cache
COPY --from=build /opt/leitmotif/pipelines /opt/leitmotif/pipelines
COPY --from=build /opt/leitmotif/bin /opt/leitmotif/bin
COPY --from=build /opt/leitmotif/entrypoint /opt/leitmotif/
# The volumes may be written by whoever the program runs as (docker/entrypoint); the base's own open folders may not.
RUN echo /opt/leitmotif/lib >/etc/ld.so.conf.d/leitmotif.conf && ldconfig && rm -rf /var/cache/ldconfig \
    && find / -xdev -type d -perm -o=w ! -path /tmp -exec chmod o-w {} + \
    && install -d -m 1777 -o 1000 -g 1000 /cache /workspace
ENV PATH=/opt/leitmotif/bin:$PATH \
    HOME=/tmp \
    HF_HOME=/cache \
    AUDIOCRAFT_CACHE_DIR=/cache \
    LEITMOTIF_WORKSPACE=/workspace \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME ["/cache", "/workspace"]
WORKDIR /workspace
ENTRYPOINT ["/opt/leitmotif/entrypoint"]
CMD ["--help"]

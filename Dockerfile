# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
# The TLS library and the allocator are C; the slim image brings the compiler for them, not make.
RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY .cargo ./.cargo
COPY Cargo.toml Cargo.lock ./
# The dependencies alone, so that a change of the source does not build them again.
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src
COPY README.md LICENSE ./
COPY src ./src
# Cargo goes by the time of files, and COPY keeps that of the checkout.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin backstop
COPY --from=build /build/target/release/backstop /usr/local/bin/backstop
COPY LICENSE /usr/share/doc/backstop/LICENSE
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
# Within a container, loopback is nobody's address; which port is published decides who may ask.
ENV BACKSTOP_SERVER__LISTEN=0.0.0.0:8420
EXPOSE 8420
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=5s --retries=3 CMD ["backstop", "health"]
# Mount the configuration read-only at /etc/backstop/backstop.toml; nothing is ever written.
ENTRYPOINT ["backstop"]
CMD ["serve"]

ARG GO=1.22
FROM golang:$GO AS build
ARG VERSION=dev
WORKDIR /src
COPY --link go.mod go.sum ./
RUN --mount=type=cache,target=/root/.cache/go-build go mod download
COPY . .
RUN --network=none go build -ldflags "-X main.version=$VERSION" -o /out/app .

FROM scratch
LABEL org.opencontainers.image.title="app"
COPY --from=build --chown=65532:65532 --chmod=0755 /out/app /usr/bin/app
USER 65532
EXPOSE 8080
ENTRYPOINT ["/usr/bin/app"]

variable "TAG" {
  default = "dev"
}

group "default" {
  targets = ["app", "docs"]
}

target "base" {
  context = "base"
  args = {
    GREETING = "hello"
  }
}

target "app" {
  context = "app"
  contexts = {
    base = "target:base"
  }
  tags = ["app:${TAG}"]
}

target "docs" {
  context           = "app"
  dockerfile-inline = "FROM scratch\nCOPY manual.txt /\n"
  output            = ["type=local,dest=site"]
}

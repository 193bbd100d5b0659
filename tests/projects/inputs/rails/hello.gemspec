Gem::Specification.new do |s|
  s.name = "hello"
  s.version = "1.0.0"
  s.summary = "Says hello"
  s.authors = ["Tests of img"]
  s.files = ["extconf.rb", "hello.c"]
  s.extensions = ["extconf.rb"]
end

require "sinatra"
require "hello"

set :bind, "0.0.0.0"
set :port, 3000
set :environment, :production

get("/") { hello_from_c }

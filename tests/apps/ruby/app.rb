# A Sinatra app with the routes that the tests ask for; it knows nothing of restarts.
require 'sinatra/base'

class App < Sinatra::Base
  PIECE = ((0..250).to_a * 256).pack('C*').freeze

  set :environment, :production

  get('/') { "hello\n" }

  get('/slow') do
    sleep params[:ms].to_i / 1000.0
    "slow\n"
  end

  post('/echo') { request.body.read }

  get('/events') do
    content_type 'text/event-stream'
    count, pause = params[:count].to_i, params[:ms].to_i / 1000.0
    Enumerator.new do |out|
      count.times do |number|
        sleep pause unless number.zero?
        out << "data: #{number}\n\n"
      end
    end
  end

  get('/download') do
    left = params[:bytes].to_i
    headers 'Content-Length' => left.to_s
    Enumerator.new do |out|
      until left.zero?
        part = PIECE.byteslice(0, left)
        left -= part.bytesize
        out << part
      end
    end
  end
end

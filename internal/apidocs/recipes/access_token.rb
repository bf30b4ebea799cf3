# access_token.rb tells whose access token a request brings. gem install jwt
require "json"
require "jwt"
require "net/http"

module AccessToken
  ISSUER = "http://localhost:8080"
  AUDIENCE = "https://api.example"
  RULES = {
    algorithms: ["ES256"], iss: ISSUER, verify_iss: true, aud: AUDIENCE, verify_aud: true,
    required_claims: %w[iss aud sub exp], jwks: ->(options) { keys(options) }
  }.freeze

  class NoKeys < StandardError; end

  # Takes an Authorization header. Raises JWT::DecodeError where it has no good token, NoKeys where that cannot be known.
  def self.claims(authorization)
    token = authorization.to_s[/\ABearer (\S+)\z/i, 1] or raise JWT::DecodeError
    claims, header = JWT.decode(token, nil, true, RULES)
    raise JWT::DecodeError unless header["typ"] == "at+jwt"

    claims
  end

  # Gets the keys again when a token names an unknown one, but not more often than once in ten seconds.
  def self.keys(options)
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    return @keys if @keys && !(options[:kid_not_found] && now - @fetched > 10)

    @keys, @fetched = JSON.parse(fetch, symbolize_names: true), now
    @keys
  end

  def self.fetch
    answer = Net::HTTP.get_response(URI("#{ISSUER}/.well-known/jwks.json"))
    answer.is_a?(Net::HTTPSuccess) ? answer.body : raise(NoKeys)
  rescue SystemCallError, SocketError, Timeout::Error, OpenSSL::SSL::SSLError
    raise NoKeys
  end
end

# rails_controller.rb is what controllers of an API on Rails inherit: app/controllers/application_controller.rb
require_relative "access_token"

class ApplicationController < ActionController::API
  before_action :require_access_token

  private

  def require_access_token
    @caller = AccessToken.claims(request.authorization)
  rescue JWT::DecodeError
    response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    head :unauthorized
  rescue AccessToken::NoKeys
    response.headers["Retry-After"] = "2"
    head :service_unavailable
  end
end

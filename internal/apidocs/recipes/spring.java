// In a @Configuration of Spring Security's resource server. Its default refuses the type at+jwt.
@Bean
JwtDecoder accessTokens() {
    var issuer = "http://localhost:8080";
    var decoder = NimbusJwtDecoder.withIssuerLocation(issuer)
        .jwtProcessorCustomizer(p -> p.setJWSTypeVerifier(
            new DefaultJOSEObjectTypeVerifier<>(new JOSEObjectType("at+jwt"))))
        .build();
    decoder.setJwtValidator(new DelegatingOAuth2TokenValidator<>(
        JwtValidators.createDefaultWithIssuer(issuer),
        new JwtClaimValidator<List<String>>("aud", aud -> aud != null && aud.contains("https://api.example"))));
    return decoder;
}

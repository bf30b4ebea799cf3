// In Program.cs, with the package Microsoft.AspNetCore.Authentication.JwtBearer.
builder.Services.AddAuthentication(JwtBearerDefaults.AuthenticationScheme).AddJwtBearer(options =>
{
    options.Authority = "http://localhost:8080";
    options.Audience = "https://api.example";
    options.MapInboundClaims = false; // "sub" stays "sub"
    options.TokenValidationParameters.ValidTypes = ["at+jwt"];
    options.TokenValidationParameters.ValidAlgorithms = ["ES256"];
});

using GettingStarted;
using Idempotency.AspNetCore;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddSingleton<Ledger>();
builder.Services.AddControllers();
#region docs: getting-started-razor-services
builder.Services.AddRazorPages();
builder.Services.AddIdempotency(options => options.AddPolicy("forms", new IdempotencyPolicy { KeySource = IdempotencyKeySource.Body }));
#endregion

var app = builder.Build();
#region docs: getting-started-mvc-pipeline
app.UseAuthorization();
app.UseIdempotency();
app.MapControllers();
#endregion
app.MapRazorPages();
app.Run();

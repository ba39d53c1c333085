namespace MPSec.Tests;

public sealed class SmokeTests
{
    [Fact]
    public void Version_OfAssembly_IsSet() => Assert.NotNull(typeof(Program).Assembly.GetName().Version);
}

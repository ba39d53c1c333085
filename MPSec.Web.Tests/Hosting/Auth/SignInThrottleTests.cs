using System.Net;
using Microsoft.Extensions.Time.Testing;
using MPSec.Hosting.Auth;

namespace MPSec.Tests.Hosting.Auth;

public sealed class SignInThrottleTests
{
    private static readonly IPAddress s_attacker = IPAddress.Parse("198.51.100.7");
    private static readonly IPAddress s_home = IPAddress.Parse("192.0.2.1");
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Take_TenThousandTriesInAnHour_LetsAtMost60Through()
    {
        var throttle = new SignInThrottle(_time);
        var through = 0;
        for (var i = 0; i < 10_000; i++)
        {
            if (throttle.Take(s_attacker, $"user{i}") is null)
            {
                through++;
                throttle.Failed($"user{i}");
            }

            _time.Advance(TimeSpan.FromHours(1) / 10_000);
        }

        Assert.InRange(through, 12, 60);
    }

    [Fact]
    public void Take_FromTheSameIpv6Network_SharesTheBucket()
    {
        var throttle = new SignInThrottle(_time);
        var through = Enumerable.Range(0, 100).Count(i => throttle.Take(IPAddress.Parse($"2001:db8:1:2::{i:x}"), $"u{i}") is null);
        Assert.Equal(12, through);
        Assert.Null(throttle.Take(IPAddress.Parse("2001:db8:1:3::1"), "x"));
    }

    [Fact]
    public void Take_AccountUnderAttackFromManyAddresses_MakesStrangersWaitAtMost30Seconds()
    {
        var throttle = new SignInThrottle(_time);
        for (var i = 0; i < 500; i++)
        {
            throttle.Failed("mina");
        }

        var wait = throttle.Take(s_home, "MINA");
        Assert.NotNull(wait);
        Assert.InRange(wait.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        _time.Advance(wait.Value);
        Assert.Null(throttle.Take(s_home, "mina"));
    }

    [Fact]
    public void Take_AddressWithEarlierSuccess_NeverWaitsForOthersFailures()
    {
        var throttle = new SignInThrottle(_time);
        throttle.Succeeded(s_home, "mina");
        for (var i = 0; i < 500; i++)
        {
            throttle.Failed("mina");
        }

        Assert.Null(throttle.Take(s_home, "mina"));
        Assert.NotNull(throttle.Take(s_attacker, "mina"));
    }

    [Fact]
    public void Take_Refused_ProlongsNothing()
    {
        var throttle = new SignInThrottle(_time);
        for (var i = 0; i < 6; i++)
        {
            throttle.Failed("mina");
        }

        for (var i = 0; i < 100; i++)
        {
            throttle.Take(s_attacker, "mina");
        }

        _time.Advance(TimeSpan.FromSeconds(2));
        Assert.Null(throttle.Take(s_attacker, "mina"));
    }

    [Fact]
    public void Take_FloodOfNames_KeepsMemoryBounded()
    {
        var throttle = new SignInThrottle(_time);
        for (var i = 0; i < 100_000; i++)
        {
            throttle.Failed($"user{i}");
        }

        Assert.Null(throttle.Take(s_home, "mina"));
    }
}

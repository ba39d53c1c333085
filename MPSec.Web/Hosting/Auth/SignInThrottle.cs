using System.Net;
using System.Net.Sockets;

namespace MPSec.Hosting.Auth;

/// <summary>
/// Slows guessing down before a password is hashed. Each address (IPv6: each /64) has a bucket of 12 tries that fills by one in 75 s, so at
/// most 60 tries an hour get through. An account with 5 failures makes strangers wait, at most 30 s; an address from which its user signed in
/// before does not wait, so nobody can lock an administrator out.
/// </summary>
public sealed class SignInThrottle(TimeProvider time)
{
    private const int BucketSize = 12;
    private const int FreeFailures = 5;
    private const int MostEntries = 20_000;
    private const int MostKnownAddresses = 16;
    private static readonly TimeSpan s_refill = TimeSpan.FromSeconds(75);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_forgetFailures = TimeSpan.FromHours(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Bucket> _addresses = [];
    private readonly Dictionary<string, Account> _accounts = [];

    /// <summary>Takes a try; null when it may go on, otherwise the time to wait. A refused try costs nothing and prolongs nothing.</summary>
    public TimeSpan? Take(IPAddress? address, string userName)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var key = KeyOf(address);
            if (_accounts.TryGetValue(NameOf(userName), out var account) && !account.Known.Contains(key)
                && account.Failures >= FreeFailures && WaitOf(account, now) is { } wait && wait > TimeSpan.Zero)
            {
                return wait;
            }

            var bucket = Refilled(key, now);
            if (bucket.Tokens < 1)
            {
                return s_refill * (1 - bucket.Tokens);
            }

            Prune(_addresses, b => time.GetElapsedTime(b.At, now) > s_refill * BucketSize);
            _addresses[key] = bucket with { Tokens = bucket.Tokens - 1 };
            return null;
        }
    }

    /// <summary>Notes a wrong password, or a user who does not exist: both look the same.</summary>
    public void Failed(string userName)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            Prune(_accounts, a => time.GetElapsedTime(a.At, now) > s_forgetFailures && a.Known.Length == 0);
            var account = _accounts.GetValueOrDefault(NameOf(userName)) ?? new(0, now, []);
            var failures = time.GetElapsedTime(account.At, now) > s_forgetFailures ? 0 : account.Failures;
            _accounts[NameOf(userName)] = account with { Failures = failures + 1, At = now };
        }
    }

    /// <summary>Notes a success: the address is known for this account from now on, and its try is given back.</summary>
    public void Succeeded(IPAddress? address, string userName)
    {
        lock (_lock)
        {
            var key = KeyOf(address);
            var known = _accounts.GetValueOrDefault(NameOf(userName))?.Known ?? [];
            _accounts[NameOf(userName)] = new(0, time.GetTimestamp(), [.. known.Where(k => k != key).TakeLast(MostKnownAddresses - 1), key]);
            if (_addresses.TryGetValue(key, out var bucket))
            {
                _addresses[key] = bucket with { Tokens = Math.Min(BucketSize, bucket.Tokens + 1) };
            }
        }
    }

    private static string NameOf(string userName) => userName[..Math.Min(userName.Length, 64)].ToUpperInvariant();

    private static string KeyOf(IPAddress? address) => address switch
    {
        null => "",
        { AddressFamily: AddressFamily.InterNetworkV6, IsIPv4MappedToIPv6: false } => Convert.ToHexString(address.GetAddressBytes().AsSpan(0, 8)),
        _ => address.MapToIPv4().ToString(),
    };

    private static void Prune<T>(Dictionary<string, T> entries, Func<T, bool> isOld)
    {
        if (entries.Count < MostEntries)
        {
            return;
        }

        foreach (var (key, value) in entries)
        {
            if (isOld(value))
            {
                entries.Remove(key);
            }
        }

        // All of them young: somebody floods us. Forgetting is cheaper than running out of memory.
        if (entries.Count >= MostEntries)
        {
            entries.Clear();
        }
    }

    private TimeSpan WaitOf(Account account, long now)
    {
        var wait = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, account.Failures - FreeFailures), s_longestWait.TotalSeconds));
        return wait - time.GetElapsedTime(account.At, now);
    }

    private Bucket Refilled(string key, long now) => _addresses.TryGetValue(key, out var bucket)
        ? new(Math.Min(BucketSize, bucket.Tokens + (time.GetElapsedTime(bucket.At, now) / s_refill)), now)
        : new(BucketSize, now);

    private sealed record Bucket(double Tokens, long At);

    private sealed record Account(int Failures, long At, string[] Known);
}

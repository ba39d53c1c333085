using System.Globalization;
using System.Net;
using System.Text.Json.Serialization;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>What belongs to an address besides itself (include/uapi/linux/if_addr.h); needed to bring a lost one back exactly.</summary>
public sealed record AddressOptions
{
    /// <summary>The flags that a person sets: nodad, home address, managed temporary addresses, no prefix route, joined multicast group.</summary>
    internal const uint Settable = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;

    /// <summary>The other end of a point-to-point link.</summary>
    public IPAddress? Peer { get; init; }

    /// <summary>Broadcast address, IPv4 only.</summary>
    public IPAddress? Broadcast { get; init; }

    /// <summary>Label, IPv4 only; null when it is the interface's name.</summary>
    public string? Label { get; init; }

    /// <summary>RT_SCOPE_*: 0 global, 253 link, 254 host.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public byte Scope { get; init; }

    /// <summary>IFA_F_*: 0x02 no duplicate address detection, 0x100 temporary addresses are made of it, 0x200 no route to its network.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public uint Flags { get; init; }

    /// <summary>Metric of the route to its network; 0 for the kernel's own.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public uint Metric { get; init; }

    /// <summary>How long it is valid, seconds; null for ever.</summary>
    public uint? ValidSeconds { get; init; }

    /// <summary>How long new connections begin from it, seconds; null for ever.</summary>
    public uint? PreferredSeconds { get; init; }

    internal IReadOnlyList<string> Words
    {
        get
        {
            var words = new List<string>();
            Add("peer", Peer);
            Add("brd", Broadcast);
            Add("label", Label);
            Add("scope", Scope switch { 0 => null, 253 => "link", 254 => "host", _ => Scope });
            Add("metric", Metric == 0 ? null : Metric);
            Add("valid_lft", ValidSeconds);
            Add("preferred_lft", PreferredSeconds);
            foreach (var (flag, word) in ((uint, string)[])[(0x02, "nodad"), (0x10, "home"), (0x100, "mngtmpaddr"), (0x200, "noprefixroute"), (0x400, "autojoin")])
            {
                if ((Flags & flag) != 0)
                {
                    words.Add(word);
                }
            }

            return words;

            void Add(string key, object? value)
            {
                if (value is not null)
                {
                    words.AddRange([key, string.Create(CultureInfo.InvariantCulture, $"{value}")]);
                }
            }
        }
    }

    internal string? Fault(IpPrefix address) =>
        (Peer ?? address.Address).AddressFamily != address.Address.AddressFamily ? "address peer: is of another family than the address"
        : (Broadcast ?? address.Address).AddressFamily != address.Address.AddressFamily ? "address broadcast: is of another family than the address"
        : Label is { Length: 0 or > 15 } ? "address label: must have 1 to 15 characters"
        : (Flags & ~Settable) != 0 ? "address flags: only those of ip-address(8) can be set"
        : (PreferredSeconds ?? uint.MaxValue) > (ValidSeconds ?? uint.MaxValue) ? "address lifetime: it cannot be preferred for longer than it is valid"
        : null;
}

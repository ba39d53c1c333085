using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Linux.Values;

/// <summary>
/// Name of a network interface as the kernel accepts it (<c>dev_valid_name</c>, net/core/dev.c): 1 to 15 bytes, no <c>/</c>,
/// no white space, not <c>.</c> or <c>..</c>. MPSec narrows this to printable ASCII without <c>:</c> and without a leading <c>-</c>,
/// so that a name can never read as an option.
/// </summary>
[JsonConverter(typeof(InterfaceNameJsonConverter))]
public readonly record struct InterfaceName : IComparable<InterfaceName>
{
    private readonly string? _value;

    private InterfaceName(string value) => _value = value;

    /// <summary>The name; empty only for the default value of the struct.</summary>
    public string Value => _value ?? "";

    /// <summary>Parses <paramref name="text"/>.</summary>
    /// <exception cref="FormatException">The text is no valid interface name; the message names the rule.</exception>
    public static InterfaceName Parse(string text) =>
        TryParse(text, out var name, out var error) ? name : throw new FormatException(error);

    /// <summary>Parses <paramref name="text"/>; <paramref name="error"/> names the broken rule when the result is false.</summary>
    public static bool TryParse(string? text, out InterfaceName name, out string? error)
    {
        name = default;
        error = text switch
        {
            null or "" => "interface name: is empty; give a name such as eth0",
            { Length: > 15 } => "interface name: is longer than 15 characters",
            "." or ".." => "interface name: . and .. are reserved",
            _ when text[0] == '-' => "interface name: must not begin with a hyphen",
            _ when text.Any(c => c is <= ' ' or > '~' or '/' or ':') =>
                "interface name: only printable ASCII without spaces, / and : is allowed",
            _ => null,
        };
        if (error is not null)
        {
            return false;
        }

        name = new InterfaceName(text!);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(InterfaceName other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value;

    private sealed class InterfaceNameJsonConverter : JsonConverter<InterfaceName>
    {
        public override InterfaceName Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var name, out var error) ? name : throw new JsonException(error);

        public override void Write(Utf8JsonWriter writer, InterfaceName value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }
}

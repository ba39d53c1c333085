using System.Text.Json;
using System.Text.Json.Serialization;

namespace MPSec.Linux.Values;

/// <summary>
/// Name of a gateway: <c>host</c> for the namespace MPSec runs in, otherwise the name of a network namespace under
/// <c>/run/netns</c> (ip-netns(8)). 1 to 63 characters: a letter or digit, then letters, digits, <c>. _ -</c>.
/// </summary>
[JsonConverter(typeof(GatewayNameJsonConverter))]
public readonly record struct GatewayName : IComparable<GatewayName>
{
    private readonly string? _value;

    private GatewayName(string value) => _value = value;

    /// <summary>The namespace MPSec itself runs in.</summary>
    public static GatewayName Host { get; } = new("host");

    /// <summary>The name.</summary>
    public string Value => _value ?? "host";

    /// <summary>Whether this is MPSec's own namespace.</summary>
    public bool IsHost => Value == "host";

    /// <summary>Parses <paramref name="text"/>.</summary>
    /// <exception cref="FormatException">The text is no gateway name.</exception>
    public static GatewayName Parse(string text) => TryParse(text, out var name, out var error) ? name : throw new FormatException(error);

    /// <summary>Parses <paramref name="text"/>; <paramref name="error"/> names the broken rule when the result is false.</summary>
    public static bool TryParse(string? text, out GatewayName name, out string? error)
    {
        name = default;
        error = text switch
        {
            null or "" => "gateway: the name is empty; give host or the name of a network namespace",
            { Length: > 63 } => "gateway: the name is longer than 63 characters",
            _ when !char.IsAsciiLetterOrDigit(text[0]) => "gateway: the name must begin with a letter or digit",
            _ when text.Any(c => !(char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')) =>
                "gateway: the name may only have ASCII letters, digits and . _ -",
            _ => null,
        };
        if (error is not null)
        {
            return false;
        }

        name = new GatewayName(text!);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(GatewayName other) => string.CompareOrdinal(Value, other.Value);

    /// <inheritdoc/>
    public override string ToString() => Value;

    private sealed class GatewayNameJsonConverter : JsonConverter<GatewayName>
    {
        public override GatewayName Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            TryParse(reader.GetString(), out var name, out var error) ? name : throw new JsonException(error);

        public override void Write(Utf8JsonWriter writer, GatewayName value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }
}

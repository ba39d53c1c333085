using System.Text.Json.Serialization;
using MPSec.Linux.Values;

namespace MPSec.Changes;

/// <summary>
/// One typed verb that alters a gateway. The set is closed: what is not listed here cannot be done to the host. Records travel as JSON with the
/// discriminator <c>verb</c>; applying one twice is the same as once.
/// </summary>
/// <param name="Gateway">The gateway that is altered.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "verb", UnknownDerivedTypeHandling = JsonUnknownDerivedTypeHandling.FailSerialization)]
[JsonDerivedType(typeof(CreateNamespace), "createNamespace")]
[JsonDerivedType(typeof(DeleteNamespace), "deleteNamespace")]
[JsonDerivedType(typeof(AddVethPair), "addVethPair")]
[JsonDerivedType(typeof(DeleteVethPair), "deleteVethPair")]
[JsonDerivedType(typeof(SetLinkState), "setLinkState")]
[JsonDerivedType(typeof(SetMtu), "setMtu")]
[JsonDerivedType(typeof(BlockInterface), "blockInterface")]
[JsonDerivedType(typeof(AddAddress), "addAddress")]
[JsonDerivedType(typeof(RemoveAddress), "removeAddress")]
[JsonDerivedType(typeof(ReplaceRoute), "replaceRoute")]
[JsonDerivedType(typeof(RemoveRoute), "removeRoute")]
[JsonDerivedType(typeof(AddRule), "addRule")]
[JsonDerivedType(typeof(RemoveRule), "removeRule")]
[JsonDerivedType(typeof(SetShaper), "setShaper")]
[JsonDerivedType(typeof(RemoveShaper), "removeShaper")]
[JsonDerivedType(typeof(AddEndpoint), "addEndpoint")]
[JsonDerivedType(typeof(RemoveEndpoint), "removeEndpoint")]
[JsonDerivedType(typeof(SetEndpointFlags), "setEndpointFlags")]
[JsonDerivedType(typeof(SetMptcpLimits), "setMptcpLimits")]
[JsonDerivedType(typeof(WriteSysctl), "writeSysctl")]
public abstract record HostOperation(GatewayName Gateway)
{
    /// <summary>The same as a command of iproute2 or procps, one argument per element; for showing, never run.</summary>
    [JsonIgnore]
    public abstract IReadOnlyList<string> Command { get; }

    /// <summary>The same where it takes several commands.</summary>
    [JsonIgnore]
    public virtual IReadOnlyList<IReadOnlyList<string>> Commands => [Command];

    /// <summary>Every gateway that the operation touches.</summary>
    [JsonIgnore]
    public virtual IReadOnlyList<GatewayName> Gateways => [Gateway];

    /// <summary>What it gives a state to: of two operations with the same subject the later one counts.</summary>
    [JsonIgnore]
    internal object Subject => this switch
    {
        SetLinkState o => ("state", Gateway, o.Interface),
        SetMtu o => ("mtu", Gateway, o.Interface),
        BlockInterface o => ("block", Gateway, o.Interface),
        AddAddress o => ("address", Gateway, o.Interface, o.Address),
        RemoveAddress o => ("address", Gateway, o.Interface, o.Address),
        ReplaceRoute o => ("route", Gateway, o.Route.Destination, o.Route.Table, o.Route.EffectiveMetric, o.Route.Options?.TypeOfService ?? 0),
        RemoveRoute o => ("route", Gateway, o.Route.Destination, o.Route.Table, o.Route.EffectiveMetric, o.Route.Options?.TypeOfService ?? 0),
        AddRule o => ("rule", Gateway, o.Priority, o.Source, o.Table),
        RemoveRule o => ("rule", Gateway, o.Priority, o.Source, o.Table),
        SetShaper o => ("queue", Gateway, o.Interface),
        RemoveShaper o => ("queue", Gateway, o.Interface),
        AddEndpoint o => ("endpoint", Gateway, o.Id, o.Address),
        RemoveEndpoint o => ("endpoint", Gateway, o.Id, o.Address),
        SetEndpointFlags o => ("endpoint flags", Gateway, o.Id, o.Address),
        SetMptcpLimits => ("limits", Gateway),
        WriteSysctl o => ("setting", Gateway, o.Key),
        CreateNamespace or DeleteNamespace => ("namespace", Gateway),
        AddVethPair o => ("pair", Gateway, o.Interface, o.PeerGateway, o.PeerInterface),
        DeleteVethPair o => ("pair", Gateway, o.Interface, o.PeerGateway, o.PeerInterface),
        _ => this,
    };

    /// <summary>Checks ranges that the value types do not check.</summary>
    /// <exception cref="ChangeException">A field is out of range (<see cref="ChangeFault.Invalid"/>); the sentence names it.</exception>
    public virtual void Validate()
    {
    }

    /// <summary>The command as one line of text, quoted for a shell; for showing only.</summary>
    public string ToShellText() => string.Join(' ', Command.Select(ShellText.Quote));

    /// <summary>Every command as a line of its own, for showing only.</summary>
    public IEnumerable<string> ToShellLines() => Commands.Select(command => string.Join(' ', command.Select(ShellText.Quote)));

    /// <summary><c>ip</c> or <c>tc</c>, pointed at the gateway.</summary>
    private protected string[] Tool(string tool, params ReadOnlySpan<string> arguments) =>
        Gateway.IsHost ? [tool, .. arguments] : [tool, "-n", Gateway.Value, .. arguments];

    private protected static void Require(bool condition, string sentence)
    {
        if (!condition)
        {
            throw new ChangeException(ChangeFault.Invalid, sentence);
        }
    }
}

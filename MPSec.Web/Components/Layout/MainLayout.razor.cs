using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Routing;
using Microsoft.Extensions.Localization;

namespace MPSec.Components.Layout;

/// <summary>The frame around every page: app bar, menu, content.</summary>
public sealed partial class MainLayout(
    IShellState shell, IEnumerable<MenuEntry> menu, NavigationManager navigation, IStringLocalizer<UiTexts> texts, IStringLocalizerFactory localizers) : IDisposable
{
    private readonly MenuEntry[] _menu = [.. menu.OrderBy(e => e.Order)];
    private ExecutionContext? _context;
    private FaultBoundary? _boundary;

    private IShellState Shell => shell;

    private NavigationManager Navigation => navigation;

    private IStringLocalizer<UiTexts> L => texts;

    private string Gateway => GatewayLink.Read(navigation.Uri) ?? shell.DefaultGateway;

    private ShellGateway? Current => shell.Gateways.FirstOrDefault(g => g.Name == Gateway);

    private string Address => navigation.ToBaseRelativePath(navigation.Uri).Split('?', '#')[0].TrimEnd('/');

    // The base element would send a bare "#content" to the start page.
    private string SkipLink => navigation.ToBaseRelativePath(navigation.Uri).Split('#')[0] + "#content";

    /// <inheritdoc/>
    public void Dispose()
    {
        shell.Changed -= OnShellChanged;
        navigation.LocationChanged -= OnLocationChanged;
    }

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        shell.Changed += OnShellChanged;
        navigation.LocationChanged += OnLocationChanged;
    }

    private MenuEntry? FindEntry(string href) => Array.Find(_menu, e => e.Href == href);

    private bool IsCurrent(MenuEntry entry) =>
        entry.Href.Length == 0 ? Address.Length == 0 : Address == entry.Href || Address.StartsWith(entry.Href + "/", StringComparison.Ordinal);

    private string Word(MenuEntry entry) => localizers.Create(entry.Texts)[entry.Key];

    private string Describe(ShellGateway gateway) => (gateway.Kind, gateway.Managed) switch
    {
        (ShellGatewayKind.ThisMachine, true) => L["ThisMachineManaged"],
        (ShellGatewayKind.ThisMachine, false) => L["ThisMachineObserved"],
        (ShellGatewayKind.Lab, true) => L["LabManaged"],
        (ShellGatewayKind.Lab, false) => L["LabObserved"],
        (_, true) => L["NamespaceManaged"],
        _ => L["NamespaceObserved"],
    };

    private void OnLocationChanged(object? sender, LocationChangedEventArgs e)
    {
        _boundary?.Recover();
        _ = InvokeAsync(StateHasChanged);
    }

    private void OnShellChanged()
    {
        // The event comes from any thread; without this context the page would lose its language.
        if (_context is null)
        {
            _ = InvokeAsync(StateHasChanged);
        }
        else
        {
            ExecutionContext.Run(_context, static self => _ = ((MainLayout)self!).InvokeAsync(((MainLayout)self!).StateHasChanged), this);
        }
    }
}

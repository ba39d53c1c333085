using System.Collections.Immutable;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Components;
using MPSec.Data;
using MPSec.Jobs;
using MPSec.Linux.Processes;

namespace MPSec.Features.Kernel;

/// <summary>Asks what kernel to build and starts the job; says beforehand what would stop it.</summary>
public sealed partial class KernelBuildForm(JobEngine engine, ICommandRunner commands, StateFolder folder, AuthenticationStateProvider authentication, TimeProvider time, IStringLocalizer<KernelTexts> texts, Sentences sentences)
{
    private static readonly (string Name, KernelSourceKind[] Kinds, string Example)[] s_fields =
    [
        ("package", [KernelSourceKind.Distribution], "linux-source-6.1"),
        ("address", [KernelSourceKind.Tarball, KernelSourceKind.Git], "https://cdn.kernel.org/pub/linux/kernel/v6.x/linux-6.12.48.tar.xz"),
        ("signatureAddress", [KernelSourceKind.Tarball], "https://cdn.kernel.org/pub/linux/kernel/v6.x/linux-6.12.48.tar.sign"),
        ("ref", [KernelSourceKind.Git], "v6.12.48"),
        ("file", [KernelSourceKind.File], "/root/linux-6.12.48.tar.xz"),
        ("signatureFile", [KernelSourceKind.File], "/root/linux-6.12.48.tar.sign"),
        ("version", [KernelSourceKind.Tarball, KernelSourceKind.File], "6.12.48"),
        ("keyring", [KernelSourceKind.Tarball, KernelSourceKind.Git, KernelSourceKind.File], "/etc/mpsec/kernel-keys.gpg"),
    ];

    private const string FragmentExample = "CONFIG_TCP_CONG_BBR=m\n# CONFIG_WLAN is not set";

    private readonly Dictionary<string, string> _values = [];
    private ImmutableArray<KernelPreflightFinding> _findings = [];
    private KernelSourceKind _kind = KernelSourceKind.Distribution;
    private string _profile = KernelBuildParameters.Usual.Profile;
    private string? _fragment;
    private string? _fault;
    private string? _jobs;
    private string _usualJobs = "";
    private bool _withoutProof;
    private bool _allowUnsigned;
    private bool _keepTree;
    private bool _rpm;
    private bool _busy;

    /// <summary>A run was started; its number.</summary>
    [Parameter]
    public EventCallback<long> Started { get; set; }

    private IStringLocalizer<KernelTexts> L => texts;

    private Sentences Said => sentences;

    private bool MayStart { get; set; }

    private IReadOnlyList<SegmentChoice<KernelSourceKind>> Kinds => [.. Enum.GetValues<KernelSourceKind>().Select(k => new SegmentChoice<KernelSourceKind>(k, L[$"Source_{k}"]))];

    private string? FragmentFault => string.IsNullOrWhiteSpace(_fragment) || KernelFragment.TryParse(_fragment, out var error) is not null ? null : error;

    private int FragmentOptions => string.IsNullOrWhiteSpace(_fragment) ? 0 : KernelFragment.TryParse(_fragment, out _)?.Options.Length ?? 0;

    private int ProfileOptions => KernelProfileTable.All.First(p => p.Key == _profile).Fragment.Options.Length;

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        var user = (await authentication.GetAuthenticationStateAsync()).User;
        MayStart = engine.FindKind(KernelBuild.KindKey) is { } kind && JobEngine.Allows(kind, user);
        Look();
    }

    private void Look()
    {
        var preflight = new KernelPreflight(commands);
        var jobs = KernelPreflight.UsualJobs(preflight.AvailableMemory() ?? 0);
        _usualJobs = jobs.ToString(CultureInfo.CurrentCulture);
        _findings = preflight.Look(KernelProfileTable.All.First(p => p.Key == _profile), jobs, folder.Root, time.GetUtcNow());
    }

    private KernelBuildParameters? Asked()
    {
        string? Value(string name) => s_fields.First(f => f.Name == name).Kinds.Contains(_kind) && _values.GetValueOrDefault(name)?.Trim() is { Length: > 0 } text ? text : null;
        int? jobs = null;
        if (!string.IsNullOrWhiteSpace(_jobs))
        {
            if (!int.TryParse(_jobs.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                _fault = L["FormJobsFault"];
                return null;
            }

            jobs = number;
        }

        return new(_profile, new KernelSourceRequest(_kind)
        {
            Package = Value("package"),
            Address = Value("address"),
            SignatureAddress = Value("signatureAddress"),
            Ref = Value("ref"),
            File = Value("file"),
            SignatureFile = Value("signatureFile"),
            Version = Value("version"),
            Keyring = Value("keyring"),
            AllowUnsigned = _allowUnsigned && _kind != KernelSourceKind.Distribution,
        })
        {
            Fragment = string.IsNullOrWhiteSpace(_fragment) ? null : _fragment,
            Jobs = jobs,
            WithoutProof = _withoutProof,
            KeepTree = _keepTree,
            Rpm = _rpm,
        };
    }

    private Task StartAsync() => TryAsync(async user =>
    {
        if (Asked() is { } asked)
        {
            await Started.InvokeAsync(await engine.StartAsync(KernelBuild.KindKey, asked, user, CancellationToken.None));
        }
    });

    private Task SetUpAsync() => TryAsync(async user => await Started.InvokeAsync(await engine.StartAsync("set-up-packages", new SetUpPackagesParameters(["kernel", "lab"]), user, CancellationToken.None)));

    private async Task TryAsync(Func<System.Security.Claims.ClaimsPrincipal, Task> act)
    {
        (_busy, _fault) = (true, null);
        try
        {
            await act((await authentication.GetAuthenticationStateAsync()).User);
        }
        catch (JobRefusedException e)
        {
            _fault = e.Message;
        }
        finally
        {
            _busy = false;
        }
    }
}

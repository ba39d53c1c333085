using System.Globalization;
using System.Security.Claims;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Localization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Components;
using MPSec.Data;
using MPSec.Jobs;
using MudBlazor;

namespace MPSec.Features.Kernel;

/// <summary>Which kernel runs and which one starts next; installs, tries once, confirms and removes. Every step asks first.</summary>
public sealed partial class KernelBootCard
{
    private KernelBootSnapshot? _boots;
    private string? _failure;
    private bool _busy;

    /// <summary>Whether the reader is an administrator.</summary>
    [Parameter]
    public bool MayChange { get; set; }

    /// <summary>What is known was read anew.</summary>
    [Parameter]
    public EventCallback<KernelBootSnapshot> Changed { get; set; }

    [Inject]
    private KernelBootService Service { get; set; } = null!;

    [Inject]
    private JobEngine Engine { get; set; } = null!;

    [Inject]
    private StateFolder Folder { get; set; } = null!;

    [Inject]
    private IDialogService Dialogs { get; set; } = null!;

    [Inject]
    private AuthenticationStateProvider Authentication { get; set; } = null!;

    [Inject]
    private NavigationManager Navigation { get; set; } = null!;

    /// <summary>The gateway in the address; links keep it.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    [Inject]
    private Sentences Said { get; set; } = null!;

    [Inject]
    private IStringLocalizer<KernelTexts> L { get; set; } = null!;

    /// <summary>Asks whether to install a kernel that was built here, with everything that would change, and starts the job.</summary>
    public Task InstallAsync(KernelProvenance kernel) => DoAsync(async user =>
    {
        var files = Folder.KernelResult(kernel.Run);
        var wanted = new KernelInstallParameters(
            Path.Combine(files, kernel.ImagePackage ?? throw new ChangeException(ChangeFault.Invalid, "package: this build made no package of an image")),
            kernel.Proof is null ? null : Path.Combine(files, "proof.json"),
            OverrideProof: kernel.Proof is not { Passed: true });
        var plan = await Service.PlanAsync(wanted);
        if (!plan.Refusals.IsEmpty)
        {
            _failure = string.Join("; ", plan.Refusals);
            return;
        }

        var prompt = new ChangePrompt(
            L["InstallTitle", kernel.Release], L[wanted.OverrideProof ? "InstallUnproved" : "InstallSummary", plan.Running], L["InstallConfirm"],
            wanted.OverrideProof ? DangerLevel.Irreversible : DangerLevel.Disturbs)
        {
            TypedName = wanted.OverrideProof ? kernel.Release : null,
            Operations = [.. plan.Settings.Select(s => $"{s.Name}: {s.Before ?? Figures.Missing} → {s.Installed ?? Figures.Missing}"), .. plan.Files.Select(f => $"{f.Path} ({Said.Of(f.What)})")],
            Commands = plan.Commands,
            Affected = [.. plan.Warnings.Select(w => Said.Of(w))],
        };
        if (await ChangeDialog.AskAsync(Dialogs, prompt))
        {
            await Engine.StartAsync("kernel-install", wanted, user, CancellationToken.None);
        }
    });

    /// <summary>Reads anew.</summary>
    public async Task ReadAsync()
    {
        try
        {
            _boots = await Task.Run(Service.Read);
            await Changed.InvokeAsync(_boots);
        }
        catch (Exception e) when (e is ChangeException or IOException or UnauthorizedAccessException)
        {
            _failure = e.Message;
        }

        StateHasChanged();
    }

    /// <summary>How many of install, boot, verify and default a kernel has behind it, and whether the next one failed.</summary>
    public static (int Reached, bool Failed) Reached(KernelBootSnapshot? boots, string? release) =>
        boots?.Record is { } record && record.Release == release ? record.State switch
        {
            KernelBootState.Installed or KernelBootState.Armed => (1, false),
            KernelBootState.Trial => (2, false),
            KernelBootState.Returning => (2, true),
            KernelBootState.Returned => (record.TrialBoot is null ? 1 : 2, true),
            KernelBootState.Kept => (4, false),
            _ => (0, false),
        }
        : (0, false);

    /// <inheritdoc/>
    protected override Task OnInitializedAsync() => ReadAsync();

    private static StateKind Kind(KernelBootState state) => state switch
    {
        KernelBootState.Kept => StateKind.Up,
        KernelBootState.Returned or KernelBootState.Returning => StateKind.Down,
        KernelBootState.Removed => StateKind.Off,
        KernelBootState.Installed => StateKind.Standby,
        _ => StateKind.Changing,
    };

    private Task ArmAsync() => DoAsync(who => Service.ArmAsync(who));

    private Task RestartAsync(KernelBootRecord record) => DoAsync(async user =>
    {
        var prompt = new ChangePrompt(L["RestartTitle"], L["RestartSummary", record.Release, record.Minutes, record.OldRelease], L["BootRestart"], DangerLevel.Irreversible) { TypedName = record.Release };
        if (await ChangeDialog.AskAsync(Dialogs, prompt))
        {
            await Service.RebootAsync(record.Release, NameOf(user));
        }
    });

    private Task RepairAsync() => DoAsync(async user =>
    {
        var run = await Engine.StartAsync("set-up-packages", new SetUpPackagesParameters([], Repair: true), user, CancellationToken.None);
        Navigation.NavigateTo(GatewayLink.To($"jobs/{run}", Gateway));
    });

    private Task RemoveAsync(KernelBootKernel kernel) => DoAsync(async user =>
    {
        var prompt = new ChangePrompt(L["BootRemoveTitle", kernel.Release], L["BootRemoveSummary"], L["BootRemove"], DangerLevel.Irreversible) { TypedName = kernel.Release };
        if (await ChangeDialog.AskAsync(Dialogs, prompt))
        {
            await Engine.StartAsync("kernel-remove", new KernelRemoveParameters(kernel.Release), user, CancellationToken.None);
        }
    });

    private Task DoAsync(Func<string, Task> act) => DoAsync(user => act(NameOf(user)));

    private async Task DoAsync(Func<ClaimsPrincipal, Task> act)
    {
        (_busy, _failure) = (true, null);
        try
        {
            // A hidden button protects nothing.
            var user = (await Authentication.GetAuthenticationStateAsync()).User;
            ChangeActor.Of(user).Require(ChangeRole.Administrator);
            await act(user);
        }
        catch (Exception e) when (e is ChangeException or JobRefusedException or IOException or UnauthorizedAccessException)
        {
            _failure = e.Message;
        }
        finally
        {
            _busy = false;
        }

        await ReadAsync();
    }

    private static string NameOf(ClaimsPrincipal user) => user.Identity?.Name ?? "unknown";
}
